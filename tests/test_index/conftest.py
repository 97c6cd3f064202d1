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
