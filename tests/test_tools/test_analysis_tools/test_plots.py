"""The tools that draw, on a small test set tagged zero-shot."""

import csv
import importlib.util
import json

import numpy as np
import pytest
import torch
from PIL import Image

from ovmlv.datasets.motionshapes import generate
from ovmlv.evaluation import Predictions
from ovmlv.utils.error_door import run_tool


@pytest.fixture(scope='module')
def run(repository):
    def run(name, *args):
        path = repository / 'tools' / 'analysis_tools' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(name, path)
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        return run_tool(tool.main, tool.parse_args([str(a) for a in args]))

    return run


@pytest.fixture(scope='module')
def config(repository, tmp_path_factory):
    root = tmp_path_factory.mktemp('motionshapes')
    generate(root, {'test': 2}, num_frames=8, num_workers=1)
    path = str(repository / 'configs' / 'ablations' / 'without_llm_template_motionshapes.py')
    return [path, '--cfg-options', f'test_dataloader.dataset.data_root={root}'], root


@pytest.fixture
def dumps(tmp_path):
    """Two dumps of the same six videos, one of them broken."""

    def write(name, seed):
        generator = torch.Generator().manual_seed(seed)
        results = [
            dict(
                scores=torch.rand(4, generator=generator),
                labels=torch.tensor([i % 2, 1 - i % 2, i % 3 // 2, 1]),
                key=(i, f'{i}.mp4', str(i)),
                video_id=str(i),
                filename=f'{i}.mp4',
                broken=i == 0,
                unlabeled=False,
            )
            for i in range(6)
        ]
        meta = dict(classes=list('abcd'), class_attributes=dict(split=['seen', 'unseen'] * 2))
        path = Predictions.from_results(results, meta).save(tmp_path / f'{name}.safetensors')
        return f'{name}={path}'

    return [write('one', 0), write('two', 1)]


def shape(path):
    return np.asarray(Image.open(path).convert('RGB')).shape


def test_curves_and_table(run, dumps, tmp_path, capsys):
    out, table = tmp_path / 'curves.png', tmp_path / 'new' / 'classes.csv'
    assert run('plot_curves', *dumps, '--out', out) == 0 and shape(out)[1] > 1000
    assert run('per_class', *dumps, '--out', table, '--sort', 'change', '--descending') == 0
    rows = list(csv.DictReader(table.open()))
    changes = [float(row['change']) for row in rows]
    assert len(rows) == 4 and changes == sorted(changes, reverse=True)
    assert all(row['known'] == '5' for row in rows), 'the broken video counts for none'
    assert run('per_class', *dumps, '--sort', 'AP') == 2
    assert run('per_class', *dumps, '--min-positives', '9') == 2
    assert run('plot_curves', 'x=no.safetensors', '--out', out) == 2
    assert run('plot_curves', dumps[0], dumps[0], '--out', out) == 2
    assert 'two rows are named' in capsys.readouterr().err


def test_similarity(run, config, tmp_path):
    (path, *options), _ = config
    out = tmp_path / 's.png'
    assert run('plot_similarity', path, '--out', out, '--num', '9', *options) == 0
    assert shape(out)[1] > 2 * shape(out)[0]
    assert run('plot_similarity', path, '--out', out, '--labels', 'circle', 'a dog', *options) == 0


def test_attention(run, config, tmp_path, capsys):
    (path, *options), root = config
    video = next(root.glob('videos/**/*.mp4'))
    out = tmp_path / 'a.png'
    assert run('plot_attention', path, '--video', video, '--out', out, *options) == 0
    assert min(shape(out)[:2]) > 300
    more = ['--num-frames', '12', '--title', '']
    assert run('plot_attention', path, '--video', video, '--out', out, *more, *options) == 0
    assert run('plot_attention', path, '--video', 'no.mp4', '--out', out, *options) == 2
    assert 'no.mp4 not found' in capsys.readouterr().err


def test_forgetting(run, tmp_path):
    folder = tmp_path / 'run' / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    rows = [{'multilabel/mAP_seen': 0.1 * i, 'step': i} for i in (1, 2)]
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)))
    (tmp_path / 'start.json').write_text(json.dumps({'multilabel/mAP_seen': 0.05}))
    out = tmp_path / 'f.png'
    args = [f'x={tmp_path / "run"}', '--out', out, '--start', tmp_path / 'start.json']
    assert run('plot_forgetting', *args) == 0 and shape(out)[0] > 300
    assert run('plot_forgetting', f'x={tmp_path}', '--out', out) == 2
