"""Data sets in miniature: the official layout and format with invented rows and real mp4 files.

A builder writes a data set under a folder, laid out as its config expects it, and returns what the
run must find. ``@miniature('ovmlv_name')`` enters it; test_dataset_configs.py trains every config
that is entered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovmlv.datasets.motionshapes.generate import FPS, write_video
from ovmlv.datasets.motionshapes.scene import render_clip, sample_scene


@dataclass
class Expected:
    """What a run over a miniature must find.

    Attributes:
        train: Training samples.
        val: Validation samples.
        classes: Number of labels.
        root: ``data_root`` of its data loaders.
        keys: Metrics that must be reported.
        options: Further ``--cfg-options``.
    """

    train: int
    val: int
    classes: int
    root: Path
    keys: tuple[str, ...] = ('mAP',)
    options: tuple[str, ...] = ()


MINIATURES: dict[str, Callable[[Path], Expected]] = {}


def miniature(name: str) -> Callable[[Callable], Callable]:
    """Enter a builder for ``configs/{name}.py``."""

    def enter(builder: Callable[[Path], Expected]) -> Callable[[Path], Expected]:
        assert name not in MINIATURES, name
        MINIATURES[name] = builder
        return builder

    return enter


def videos(folder: Path, names: Iterable[str], seconds: float = 2.0) -> None:
    """Write a small moving picture under each name; each name has its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, render_clip(sample_scene(rng, video=True), int(seconds * FPS), rng))


def text(path: Path, *lines: str, end: str = '\n') -> None:
    """Write a text file with these line ends, whatever the system's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(''.join(line + end for line in lines).encode())


@miniature('ovmlv_charades')
def charades(root: Path) -> Expected:
    header = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions'
    cell = 'S1,Attic,6,7,Yes,"One, two.",box;flag,A thing.'
    rows = dict(
        train=['07E49', 'c002 0.50 2.90;c000 0.00 1.00', '83654', '', '1E500', 'c001 0.00 2.00'],
        test=['50E06', 'c001 0.00 2.10', '00123', 'c000 0.00 1.00;c002 0.00 2.00'],
    )
    for split, items in rows.items():
        pairs = list(zip(items[::2], items[1::2], strict=True))
        lines = [f'{video},{cell},{actions},2.00' for video, actions in pairs]
        path = root / 'annotations' / f'Charades_v1_{split}.csv'
        text(path, f'{header},length', *lines, end='\r\n')
        videos(root / 'videos', (f'{video}.mp4' for video, _ in pairs))
    classes = ('c000 Waving a red flag', 'c001 Opening a box/crate', 'c002 Someone is dancing')
    text(root / 'annotations' / 'Charades_v1_classes.txt', *classes)
    return Expected(train=2, val=2, classes=3, root=root, keys=('mAP', 'mAP_charades'))


@miniature('ovmlv_ava')
def ava(root: Path) -> Expected:
    folder = root / 'annotations'
    rows = dict(
        train=['-x_Y,0901,0.1,0.1,0.5,0.9,12,0', '-x_Y,0901,0.1,0.1,0.5,0.9,7,0']
        + ['-x_Y,0902,0.1,0.1,0.5,0.9,80,0', 'Z1,0902,0.1,0.1,0.5,0.9,7,1'],
        val=['W2,0901,0.1,0.1,0.5,0.9,7,0', 'W2,0902,0.1,0.1,0.5,0.9,12,0']
        + ['W2,0903,0.1,0.1,0.5,0.9,80,0'],
    )
    for split, lines in rows.items():
        text(folder / f'ava_{split}_v2.2.csv', *lines)
    text(folder / 'ava_train_excluded_timestamps_v2.2.csv', '-x_Y,0902')
    text(folder / 'ava_val_excluded_timestamps_v2.2.csv', 'W2,0909')
    items = ((7, 'jump/leap'), (12, 'stand'), (80, 'watch (a person)'))
    lines = [f'item {{\n  name: "{name}"\n  id: {number}\n}}' for number, name in items]
    text(folder / 'ava_action_list_v2.2_for_activitynet_2019.pbtxt', *lines)
    videos(root / 'videos_15min', ('-x_Y.mkv', 'Z1.mp4', 'W2.mp4'), seconds=4)
    return Expected(train=2, val=3, classes=3, root=root)


@miniature('ovmlv_hvu')
def hvu(root: Path) -> Expected:
    tags = ('playing_flute,action', 'leaping,action', 'sky,object', 'flute,object', 'lake,scene')
    text(root / 'annotations' / 'HVU_Tags_Categories_V1.0.csv', 'Tag,Category', *tags)
    rows = dict(
        Train=('playing_flute|flute,-aB_9,101.5,103.5', 'sky|lake,-aB_9,7.0,9.0'),
        Val=('leaping|sky,x1,0.0,2.0', 'lake|flute|playing_flute,y2,0.5,2.5'),
    )
    for split, lines in rows.items():
        header = 'Tags,youtube_id,time_start,time_end'
        text(root / 'annotations' / f'HVU_{split}_V1.0.csv', header, *lines)
    videos(root / 'videos_train', ('-aB_9_001015_001035.mp4', '-aB_9_000070_000090.mp4'))
    videos(root / 'videos_val', ('x1_000000_000020.mp4', 'y2_000005_000025.mp4'))
    keys = ('mAP', 'mAP_action', 'mAP_object', 'mAP_scene')
    return Expected(train=2, val=2, classes=5, root=root, keys=keys)


@miniature('ovmlv_multithumos')
def multithumos(root: Path) -> Expected:
    folder = root / 'multithumos'
    names = dict(
        GolfSwing=['video_validation_0000051 0.5 2.0', 'video_test_0000004 0.5 1.6'],
        BodyTurn=['video_validation_0000051 0.2 0.6', 'video_test_0000004 0.5 0.5'],
        NoHuman=['video_test_0000004 1.5 9.0', 'video_validation_0000051 1.8 2.9'],
    )
    text(folder / 'class_list.txt', *(f'{i} {name}' for i, name in enumerate(names, 1)))
    for name, lines in names.items():
        text(folder / 'annotations' / f'{name}.txt', *lines)
    shared = root / 'thumos14' / 'videos'
    videos(shared / 'val', ['video_validation_0000051.mp4'], seconds=3)
    videos(shared / 'test', ['video_test_0000004.mp4'], seconds=3)
    return Expected(train=3, val=3, classes=3, root=folder)


@miniature('ovmlv_thumos14')
def thumos14(root: Path) -> Expected:
    for split, video in (('val', 'video_validation_0000007'), ('test', 'video_test_0000004')):
        rows = dict(
            CliffDiving=[f'{video}  1.0 3.0'],
            Diving=[f'{video}  1.0 3.0', f'{video}  9.5 13.0'],
            GolfSwing=[f'{video}  5.0 5.5'],
            Ambiguous=[f'{video}  8.5 9.0'],
        )
        for name, lines in rows.items():
            text(root / f'annotations_{split}' / f'{name}_{split}.txt', *lines)
        text(root / f'annotations_{split}' / 'readme.txt', 'THUMOS CHALLENGE 2014')
        videos(root / 'videos' / split, [f'{video}.mp4'], seconds=12)
    # 0..8 and 4..12
    return Expected(train=2, val=2, classes=3, root=root)


@miniature('ovmlv_activitynet')
def activitynet(root: Path) -> Expected:
    database = {}
    for video, subset, actions in (
        ('--a1', 'training', [([0.5, 2.9], 'Blow-drying hair')]),
        ('B_2', 'training', [([0, 0], 'Tango'), ([0.1, 1.0], 'Archery')]),
        ('c-3', 'validation', [([0.01, 2.0], 'Archery')]),
        ('d4', 'validation', [([0.01, 2.0], 'Tango')]),
        ('e5', 'testing', []),
    ):
        annotations = [dict(segment=span, label=label) for span, label in actions]
        database[video] = dict(duration=2.0, subset=subset, annotations=annotations)
    content = dict(version='VERSION 1.3', taxonomy=[], database=database)
    text(root / 'activity_net.v1-3.min.json', json.dumps(content))
    videos(root / 'videos', ('v_--a1.mkv', 'v_B_2.mp4', 'v_c-3.mp4', 'v_d4.mp4'))
    return Expected(train=2, val=2, classes=3, root=root)
