"""The mean over the splits of a protocol, by the tool, against the splits one by one."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from ovmlv.errors import ConfigError
from tests.test_integration.miniatures import text, videos

REPOSITORY = Path(__file__).resolve().parents[3]
TOOL = REPOSITORY / 'tools' / 'analysis_tools' / 'run_splits.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('run_splits_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_means_of_what_all_splits_have(tool):
    results = dict(
        a={'acc/top1': 0.5, 'acc/num_samples': 3, 'only': 1.0},
        b={'acc/top1': 0.7, 'acc/num_samples': 5},
    )
    table = tool.summarize(results)
    assert table['mean'] == {'acc/top1': pytest.approx(0.6), 'acc/num_samples': 4}
    assert table['std']['acc/top1'] == pytest.approx(statistics.stdev([0.5, 0.7]))
    lines = tool.format_table(table).split('\n')
    assert lines[0].split() == ['acc/top1'] and lines[-2].split() == ['mean', '0.6000']
    assert tool.summarize(dict(a=results['a']))['std']['acc/top1'] == 0


def test_a_config_without_splits(tool, tmp_path):
    text(tmp_path / 'plain.py', 'model = dict()')
    with pytest.raises(
        ConfigError, match='plain.py has no test_splits; test it with tools/test.py'
    ):
        tool.main(tool.parse_args([str(tmp_path / 'plain.py')]))


def write_splits(root: Path) -> None:
    """Three splits in the format of UCF101."""
    folder = root / 'ucfTrainTestlist'
    text(folder / 'classInd.txt', '1 RedCircle', '2 BlueStar', '3 Moving', end='\r\n')
    names = ['RedCircle/v_RedCircle_g01_c01.avi', 'BlueStar/v_BlueStar_g01_c01.avi']
    names += ['Moving/v_Moving_g01_c01.avi', 'Moving/v_Moving_g02_c01.avi']
    for number, chosen in enumerate((names[:2], names[1:], names), 1):
        text(folder / f'testlist0{number}.txt', *chosen, end='\r\n')
    videos(root / 'UCF-101', names)


@pytest.mark.slow
def test_three_splits_of_ucf101(tmp_path):
    write_splits(tmp_path)
    clip = "dict(model_name='motionshapes', pretrained='motionshapes')"
    text(
        tmp_path / 'small.py',
        f"_base_ = ['{REPOSITORY}/configs/cross_dataset/kinetics400_to_ucf101.py']",
        f"model = dict(backbone=dict(_delete_=True, type='TemporalCLIPBackbone', **{clip}),",
        f"    head=dict(_delete_=True, type='TemplatePromptHead', **{clip}))",
        f'test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict('
        f"data_root='{tmp_path}'))",
    )
    shapes = ['3.scale=(-1,64)', '4.crop_size=64', '1.clip_len=4']
    options = [f'test_dataloader.dataset.pipeline.{shape}' for shape in shapes]
    command = [sys.executable, TOOL, tmp_path / 'small.py', '--work-dir', tmp_path / 'work']
    done = subprocess.run(
        [*map(str, command), '--cfg-options', *options],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    table = json.loads((tmp_path / 'work' / 'splits.json').read_text())
    splits = ['split1', 'split2', 'split3']
    assert list(table) == [*splits, 'mean', 'std']
    assert [table[s]['acc/num_samples'] for s in splits] == [2, 3, 4]
    values = [table[s]['acc/top1'] for s in splits]
    assert table['mean']['acc/top1'] == pytest.approx(sum(values) / 3)
    # The third has every video of the others: the splits were really different ones.
    right = [v * n for v, n in zip(values, (2, 3, 4), strict=True)]
    assert all(abs(r - round(r)) < 1e-6 for r in right) and right[2] >= max(right[:2])
