"""configs/ovmlv_charades.py by tools/train.py on a folder laid out like the real Charades.

The rows are invented; their format, bytes and odd cases are those of the official files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ovmlv.datasets.motionshapes.generate import write_video
from ovmlv.datasets.motionshapes.scene import render_clip, sample_scene

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / 'configs' / 'ovmlv_charades.py'

HEADER = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'
CLASSES = (
    'c000 Waving a red flag\nc001 Opening a box/crate\nc002 Someone is dancing\n'
    'c003 Jumping\nc004 Moving left\n'
)
TRAIN = [
    # An id like a float; a class twice, by neither time nor number; an end after the video's.
    '07E49,S1,Attic,6,7,Yes,"One, two.",box;flag,A thing; another,'
    'c002 0.50 2.90;c000 0.00 1.00;c002 0.10 0.40,2.00',
    # No action: no part of training.
    '83654,S2,Porch,,,No,None.,,Nothing happens.,,2.00',
    # start > end; past the end; empty quality, relevance and objects.
    'AB1CD,S1,Attic,,,Yes,Three.,,Waves.,c001 1.50 0.30;c003 1.95 3.00,2.00',
    '1E500,S3,Attic,5,6,No,Four.,flag,"Jumps, then falls.",c003 0.00 2.00,2.00',
    'GONE1,S3,Attic,5,6,No,Not on the disk.,flag,Waves.,c000 0.00 2.00,2.00',
    'CUTUP,S3,Attic,5,6,No,Damaged.,flag,Waves.,c004 0.00 2.00,2.00',
    'QWERT,S4,Hall,7,7,Yes,Five.,box,Opens it.,c001 0.00 2.00;c004 0.20 1.70,2.00',
]
TEST = [
    '50E06,S5,Hall,7,7,Yes,Six.,box,Opens it.,c001 0.00 2.10;c000 0.20 1.70,2.00',
    '150E6,S5,Hall,7,,Yes,"Seven, eight.",box,Jumps.,c003 0.00 1.00,2.00',
    '00123,S6,Hall,7,5,Yes,Empty.,,Nothing.,,2.00',
    'ZZTOP,S6,Hall,7,5,Yes,Dances.,,Dances.,c002 0.00 2.00;c004 0.00 0.40,2.00',
    'GONE2,S6,Hall,7,5,Yes,Not on the disk.,,Dances.,c002 0.00 2.00,2.00',
]
MISSING, DAMAGED = ('GONE1', 'GONE2'), 'CUTUP'


def tiny(name: str) -> list[str]:
    """The overrides for a pipeline: the frame size of the tiny CLIP, and few frames."""
    prefix = f'{name}_dataloader.dataset.pipeline'
    if name == 'train':
        sizes = [f'{prefix}.3.scale=(-1,72)', f'{prefix}.5.scale=(64,64)']
    else:
        sizes = [f'{prefix}.3.scale=(-1,64)', f'{prefix}.4.crop_size=64']
    loader = [f'{name}_dataloader.{key}' for key in ('num_workers=0', 'persistent_workers=False')]
    return [f'{prefix}.1.clip_len=4', *sizes, *loader]


OPTIONS = [
    *(
        f'model.{part}.{key}=motionshapes'
        for part in ('backbone', 'head')
        for key in ('model_name', 'pretrained')
    ),
    'model.backbone.num_frames=4',
    'model.backbone.temporal.num_heads=1',
    'model.head.llm.name=None',
    *(
        f'model.head.llm.config.{key}'
        for key in ('model_type=gpt2', 'n_embd=32', 'n_layer=2', 'n_head=2', 'n_positions=64')
    ),
    'model.head.prompter.width=32',
    'model.labels_per_step=4',
    'train_cfg.max_epochs=2',
    'train_dataloader.batch_size=2',
    *(option for name in ('train', 'val', 'test') for option in tiny(name)),
]


@pytest.fixture(scope='module')
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('charades')
    (root / 'annotations').mkdir()
    (root / 'videos').mkdir()
    for split, rows in (('train', TRAIN), ('test', TEST)):
        (root / 'annotations' / f'Charades_v1_{split}.csv').write_bytes(
            ''.join(f'{row}\r\n' for row in (HEADER, *rows)).encode('ascii')
        )
    (root / 'annotations' / 'Charades_v1_classes.txt').write_bytes(CLASSES.encode('ascii'))
    for row in (*TRAIN, *TEST):
        name = row.split(',')[0]
        if name not in MISSING:
            rng = np.random.default_rng(list(name.encode()))
            frames = render_clip(sample_scene(rng, video=True), 16, rng)
            write_video(root / 'videos' / f'{name}.mp4', frames)
    damaged = root / 'videos' / f'{DAMAGED}.mp4'
    damaged.write_bytes(damaged.read_bytes()[:300])
    return root


def run(tool: str, *args: object, status: int = 0) -> tuple[str, str]:
    """Run a tool as a user does; returns stdout and stderr."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / 'tools' / tool), str(CONFIG), *map(str, args)],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == status, f'{done.returncode}\n{done.stdout}\n{done.stderr}'
    return done.stdout, done.stderr


def options(root: Path) -> list[str]:
    loaders = [f'{name}_dataloader.dataset.data_root={root}' for name in ('train', 'val', 'test')]
    return ['--cfg-options', *OPTIONS, *loaders]


@pytest.fixture(scope='module')
def trained(data_root, tmp_path_factory) -> tuple[Path, str]:
    """Work folder and log of a run of two epochs."""
    work = tmp_path_factory.mktemp('work')
    out, err = run('train.py', '--work-dir', work, *options(data_root))
    return work, out + err


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)['state_dict']


def test_trains_validates_and_saves(trained, data_root):
    work, log = trained
    assert 'Charades_v1_train.csv: 7 videos, 10 segments' in log
    odd = 'without_actions 1, repeated_classes 1, past_end 2, inverted 1'
    assert odd in log
    # 6 of 7 train rows have a label; two of them cannot be read and are replaced by others.
    assert 'Epoch(train) [2][3/3]' in log or 'Saving checkpoint at 2 epochs' in log
    for name in ('GONE1', DAMAGED, 'GONE2'):
        assert re.search(rf'video {data_root}/videos/{name}\.mp4 cannot be read', log), name
    assert "on_error='replace'" in log and "on_error='report'" in log
    results = re.findall(r'multilabel/num_samples: (\d+).*?multilabel/num_broken: (\d+)', log)
    assert [tuple(map(float, r)) for r in results] == [(5, 1), (5, 1)], results
    assert 'multilabel/mAP_charades' in log and 'best' in log
    assert {p.name for p in work.glob('epoch_*.pth')} == {'epoch_1.pth', 'epoch_2.pth'}
    assert list(work.glob('best_multilabel_mAP_charades_epoch_*.pth'))
    start, end = weights(work / 'epoch_1.pth'), weights(work / 'epoch_2.pth')
    assert not any('llm' in key or 'text_tower' in key for key in end if 'fingerprint' not in key)
    moved = {key for key in end if end[key].is_floating_point() and (end[key] != start[key]).any()}
    assert not any(key.startswith('backbone.visual.') and '_frozen' not in key for key in end)
    for part in ('backbone.temporal', 'head.readout', 'head.prompter', 'scorer'):
        assert any(key.startswith(part) for key in moved), part
    assert all(bool(value.isfinite().all()) for value in end.values())


@pytest.mark.slow
def test_resumes_like_the_uninterrupted_run(trained, data_root, tmp_path):
    work, _ = trained
    resume = ['--resume', work / 'epoch_1.pth', '--work-dir', tmp_path]
    out, err = run('train.py', *resume, *options(data_root))
    assert 'resumed epoch: 1' in out + err
    whole, resumed = weights(work / 'epoch_2.pth'), weights(tmp_path / 'epoch_2.pth')
    assert whole.keys() == resumed.keys()
    for key in whole:
        torch.testing.assert_close(resumed[key], whole[key], rtol=0, atol=1e-7)


@pytest.mark.slow
def test_tests_with_all_views(trained, data_root, tmp_path):
    work, _ = trained
    metrics = tmp_path / 'metrics.json'
    args = [work / 'epoch_2.pth', '--work-dir', tmp_path, '--out', metrics]
    run('test.py', *args, *options(data_root))
    assert '"multilabel/num_samples": 5' in metrics.read_text()
    (table,) = tmp_path.rglob('charades_per_class.csv')
    assert len(table.read_text().splitlines()) == 6 and 'waving a red flag' in table.read_text()


@pytest.mark.slow
def test_missing_data_is_one_line(tmp_path):
    out, err = run('train.py', '--work-dir', tmp_path / 'work', *options(tmp_path), status=2)
    assert out == ''
    (line,) = err.strip().splitlines()
    for name in ('Charades_v1_train.csv', 'Charades_v1_classes.txt', 'videos'):
        assert str(tmp_path) in line and name in line
    assert 'Charades_v1_480.zip' in line and 'https://prior.allenai.org/projects/charades' in line
