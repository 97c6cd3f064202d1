"""tools/test.py --dump FILE.safetensors, and the metrics of that file computed again."""

import importlib.util
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovmlv.errors import DataError
from ovmlv.evaluation import DumpPredictions, MultilabelMetric, Predictions, functional as F
from ovmlv.utils.error_door import run_tool

META = dict(
    classes=['a dog', 'a "cat", é', 'running', 'a bird'],
    class_attributes=dict(split=['seen', 'seen', 'unseen', 'unseen']),
)

PARTS = """
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch.utils.data import Dataset
from ovmlv.registry import DATASETS, MODELS

@DATASETS.register_module()
class FewVideos(Dataset):
    metainfo = dict(
        classes=['a', 'b', 'c'], class_attributes=dict(split=['seen', 'seen', 'unseen'])
    )

    def __len__(self):
        return 11

    def __getitem__(self, index):
        sample = ActionDataSample(metainfo=dict(
            sample_idx=index, filename=f'{index}.mp4', video_id=str(index), broken=index == 4,
            official_unlabeled=index == 5))
        sample.set_gt_label(torch.tensor([index % 2, index % 3 == 0, -(index % 5 == 0)]).long())
        sample.gt_label[2] = 1 if index in (1, 6) else sample.gt_label[2]
        return dict(inputs=torch.full((3,), float(index)), data_samples=sample)

@MODELS.register_module()
class Guess(BaseModel):
    def forward(self, inputs, data_samples, mode='tensor'):
        for x, sample in zip(inputs, data_samples):
            sample.set_pred_score(torch.sigmoid(torch.sin(x * torch.tensor([1.0, 2.0, 3.0]))))
        return data_samples
"""
CONFIG = """
custom_imports = dict(imports=['few_parts'])
default_scope = 'ovmlv'
model = dict(type='Guess')
test_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(type='FewVideos'),
    sampler=dict(type='DefaultSampler', shuffle=False), collate_fn=dict(type='pseudo_collate'))
test_evaluator = [dict(
    type='MultilabelMetric', extra=['AUPR'], official_charades=True, per_class=True)]
test_cfg = dict()
"""


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'analysis_tools' / 'eval_metric.py'
    spec = importlib.util.spec_from_file_location('eval_metric', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tool, *arguments):
    return run_tool(tool.main, tool.parse_args(list(map(str, arguments))))


def make(seed=0, size=30, noise=1.0):
    random = np.random.default_rng(seed)
    targets = np.random.default_rng(9).choice([1, 0, 0, -1], size=(size, 4))
    scores = random.random((size, 4)) * noise + 0.5 * (targets == 1)
    return [
        dict(
            pred_score=torch.tensor(scores[i] / 3, dtype=torch.float32),
            gt_label=torch.tensor(targets[i]),
            sample_idx=i,
            filename=f'videos/{i}.mp4',
            video_id=str(i),
            broken=i == 3,
            official_unlabeled=i == 4,
        )
        for i in range(size)
    ]


def dump(samples, path, meta=META):
    metric = DumpPredictions(out_file=str(path))
    metric.dataset_meta = meta
    metric.process(None, samples)
    assert metric.evaluate(len(samples)) == {}
    return path


def evaluate(samples, **config):
    metric = MultilabelMetric(**config)
    metric.dataset_meta = META
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def same(found, expected):
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_same_metrics_as_at_once(tool, tmp_path):
    path = dump(make(), tmp_path / 'sub' / 'a.safetensors')
    out = tmp_path / 'm' / 'a.json'
    options = ["extra=['GAP','peak_F1']", 'topk=(1,2)', 'broken=keep', 'official_charades=True']
    assert run(tool, path, '--options', *options, '--bootstrap', 20, '--seed', 3, '--out', out) == 0
    expected = evaluate(
        make(), extra=['GAP', 'peak_F1'], topk=(1, 2), broken='keep', official_charades=True,
        bootstrap=20, seed=3,
    )  # fmt: skip
    same(json.loads(out.read_text()), expected)
    assert not list(tmp_path.rglob('*.part'))


@pytest.mark.slow
def test_after_a_test_with_the_same_config(tool, repository, tmp_path):
    """The file is written by tools/test.py, and the metrics are those it wrote itself."""
    (tmp_path / 'few_parts.py').write_text(PARTS)
    (tmp_path / 'config.py').write_text(CONFIG)
    command = [
        repository / 'tools' / 'test.py',
        tmp_path / 'config.py',
        '--work-dir',
        tmp_path / 'w',
    ]
    command += ['--out', tmp_path / 'a.json', '--dump', tmp_path / 'a.safetensors']
    env = {**os.environ, 'PYTHONPATH': f'{repository}:{tmp_path}', 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    predictions = Predictions.load(tmp_path / 'a.safetensors')
    assert len(predictions) == 11
    assert predictions.meta['class_attributes'] == dict(split=['seen', 'seen', 'unseen'])
    out = tmp_path / 'again.json'
    sys.path.insert(0, str(tmp_path))
    try:
        config = tmp_path / 'config.py'
        assert run(tool, tmp_path / 'a.safetensors', '--config', config, '--out', out) == 0
    finally:
        sys.path.remove(str(tmp_path))
    same(json.loads(out.read_text()), json.loads((tmp_path / 'a.json').read_text()))


def test_other_metrics_and_tables_of_frames(tool, tmp_path, capsys):
    samples = make()
    for sample in samples[:10]:
        sample['pred_score'] = sample['pred_score'].repeat(2, 1)
        sample['gt_label'] = sample['gt_label'].repeat(2, 1)
    path = dump(samples, tmp_path / 'a.safetensors')
    assert run(tool, path, '--metric', 'FrameLevelMetric') == 0
    lines = capsys.readouterr().out.splitlines()
    figures = dict(line.split() for line in lines if line.startswith('frame/'))
    assert (figures['frame/num_points'], figures['frame/num_videos']) == ('40', '30')
    loaded = list(Predictions.load(path).samples())
    for found, expected in zip(loaded, samples, strict=True):
        assert torch.equal(found['pred_score'], expected['pred_score'])
        assert torch.equal(found['gt_label'].long(), expected['gt_label'])
        rest = set(expected) - {'pred_score', 'gt_label'}
        assert all(found[key] == expected[key] for key in rest)


def test_comparison(tool, tmp_path, capsys):
    first = dump(make(noise=2), tmp_path / 'a.safetensors')
    second = dump(make(noise=1), tmp_path / 'b.safetensors')
    out = tmp_path / 'c.json'
    assert run(tool, first, '--compare', second, '--bootstrap', 200, '--out', out) == 0
    found = json.loads(out.read_text())
    assert list(found) == ['mAP', 'mAP_seen', 'mAP_unseen']
    row = found['mAP']
    assert row['first'] == pytest.approx(evaluate(make(noise=2))['multilabel/mAP'])
    assert row['second'] == pytest.approx(evaluate(make(noise=1))['multilabel/mAP'])
    assert row['difference'] == pytest.approx(row['second'] - row['first'])
    scores = [torch.stack([s['pred_score'] for s in make(noise=n)]) for n in (2, 1)]
    targets = torch.stack([s['gt_label'] for s in make()])
    for score in scores:
        score[3] = -torch.inf
    counts = F.resample_counts(30, 200)
    values = [F.bootstrap_average_precision(s, targets, counts).nanmean(1) for s in scores]
    expected = F.paired_bootstrap(*values, row['difference'])
    assert (row['low'], row['high'], row['p_value']) == pytest.approx(expected[1:])
    assert 'mAP_unseen' in capsys.readouterr().out


def test_files_that_cannot_be_used(tool, tmp_path, capsys):
    good = dump(make(), tmp_path / 'good.safetensors')
    other = dump(make(size=29), tmp_path / 'other.safetensors')
    save_file({'x': torch.zeros(2)}, tmp_path / 'weights.safetensors')
    (tmp_path / 'cut.safetensors').write_bytes(good.read_bytes()[:200])
    with open(tmp_path / 'evil.pkl', 'wb') as file:
        pickle.dump([1], file)
    (tmp_path / 'empty.py').write_text('default_scope = "ovmlv"\n')
    for arguments, words in (
        (['none.safetensors'], '--dump none.safetensors'),
        (['weights.safetensors'], 'no predictions'),
        (['cut.safetensors'], 'no file of predictions'),
        (['evil.pkl'], 'no file of predictions'),
        (['good.safetensors', '--compare', other], 'differ in their video_ids'),
        (['good.safetensors', '--out', 'a.csv'], '.json'),
        (['good.safetensors', '--metric', 'NoMetric'], 'NoMetric'),
        (['good.safetensors', '--options', 'k=3'], "'k'"),
        (['good.safetensors', '--config', tmp_path / 'empty.py'], 'no metric in test_evaluator'),
        (['good.safetensors', '--compare', good, '--bootstrap', 0], '--bootstrap 0'),
    ):
        assert run(tool, tmp_path / arguments[0], *arguments[1:]) == 2, arguments
        message = capsys.readouterr().err
        assert words in message and message.count('\n') == 1, message


def test_parts_of_different_lengths_are_refused(tmp_path):
    path = dump(make(), tmp_path / 'a.safetensors')
    predictions = Predictions.load(path)
    predictions.filenames.pop()
    predictions.save(path)
    with pytest.raises(DataError, match='different lengths'):
        Predictions.load(path)
