"""Tiny videos of known content, and a model; all of it needs LanceDB."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from ovmlv.apis import OVMLVInferencer
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video

COLORS = ('red', 'green', 'blue', 'yellow')
LABELS = [f'{color} circle' for color in COLORS]
MISSING = [name for name in ('lancedb', 'pyarrow') if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if MISSING and here in Path(item.path).parents and 'without_lance' not in item.name:
            reason = f"{', '.join(MISSING)} not installed: pip install 'ovmlv[index]'"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope='session')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu')


@pytest.fixture(scope='session')
def clips(tmp_path_factory) -> list[Path]:
    """A circle of each colour, 3 s; and one that turns from red to blue, 6 s."""
    folder = tmp_path_factory.mktemp('clips')
    found = {}
    for color in COLORS:
        scene = Scene('plain', (Actor('circle', color, 'standing still'),))
        found[color] = render_clip(scene, 24, np.random.default_rng(0))
        write_video(folder / f'{color}.mp4', found[color])
    write_video(folder / 'turning.mp4', np.concatenate([found['red'], found['blue']]))
    return sorted(folder.iterdir())


@pytest.fixture
def videos(clips, tmp_path) -> Path:
    """A folder of copies that a test may change."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for clip in clips:
        shutil.copy2(clip, folder)
    return folder


@pytest.fixture(scope='session')
def shared(clips, inferencer, tmp_path_factory):
    """An index in windows of a second that no test changes."""
    from ovmlv.index import VideoIndex

    index = VideoIndex.create(tmp_path_factory.mktemp('shared') / 'index', inferencer, window=1.0)
    index.add(clips[0].parent)
    return index


def assert_alike(one, other) -> None:
    """Two indices hold the same videos, and embeddings that are equal but for rounding.

    The batches that a video is computed in may differ, which may change the last bit of a number
    of half precision.
    """
    assert [row.path for row in sorted_rows(one)] == [row.path for row in sorted_rows(other)]
    equal = total = 0
    for row, same in zip(sorted_rows(one), sorted_rows(other), strict=True):
        for name in ('size', 'mtime_ns', 'digest', 'duration', 'fps', 'windows', 'error'):
            assert getattr(row, name) == getattr(same, name)
        if row.error is not None:
            continue
        found = []
        for index in (one, other):
            snapshot = index.snapshot
            windows = snapshot.windows_of(snapshot.place[row.path])
            found.append(snapshot.embeddings(windows))
            assert len(found[-1]) == row.windows
        assert np.abs(found[0].astype(float) - found[1].astype(float)).max() < 2**-11
        equal, total = equal + int((found[0] == found[1]).sum()), total + found[0].size
    assert equal >= 0.995 * total


def sorted_rows(index):
    return sorted(index.snapshot.rows, key=lambda row: row.path)
