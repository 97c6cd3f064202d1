"""A real server with the shipped tiny CLIP, and videos whose content is known."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video as write_clip

LIMITS = dict(upload_bytes=300_000, duration=20, labels=60, label_length=100, videos=20)
_START_SECONDS = 180


@dataclass
class RunningServer:
    """A server and what it may use."""

    url: str
    process: psutil.Process
    folder: Path  # where its temporary files are

    def left_over(self) -> list[Path]:
        """Files that uploads left behind."""
        return list(self.folder.glob('ovmlv-serving-*/*'))


@pytest.fixture(scope='session')
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp('server')
    script = Path(__file__).with_name('run_server.py')
    root = script.parents[2]
    environment = {
        **os.environ,
        'TMPDIR': str(folder),
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': os.pathsep.join(filter(None, [str(root), os.environ.get('PYTHONPATH')])),
    }
    log = (tmp_path_factory.mktemp('log') / 'server.log').open('w+')
    process = subprocess.Popen(
        [sys.executable, str(script), json.dumps(LIMITS)],
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        text=True,
    )
    try:
        line = _first_line(process)
        found = re.search(r'http://127\.0\.0\.1:\d+', line)
        assert found, f'{line}\n{Path(log.name).read_text()}'
        yield RunningServer(found[0], psutil.Process(process.pid), folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert not list(folder.glob('ovmlv-serving-*')), 'a server that ended cleans up'


def _first_line(process: subprocess.Popen) -> str:
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if ready.select(1):
                return process.stdout.readline()
    return 'the server did not start'


@pytest.fixture(scope='session')
def client(server):
    with httpx.Client(base_url=server.url, timeout=120) as client:
        yield client


def write_scenes(path: Path, *scenes: tuple[str, str, str]) -> Path:
    """A video of one second (8 frames) for each (background, colour, shape)."""
    rng = np.random.default_rng(0)
    parts = [
        render_clip(Scene(background, (Actor(shape, color, 'standing still'),)), 8, rng)
        for background, color, shape in scenes
    ]
    write_clip(path, np.concatenate(parts))
    return path


@pytest.fixture(scope='session')
def clips(tmp_path_factory) -> dict[str, Path]:
    """Name -> video of what the name says; ``both``: a red circle, then a blue star."""
    folder = tmp_path_factory.mktemp('clips')
    found = {}
    for name in ('red circle', 'blue star', 'green square', 'yellow cross'):
        found[name] = write_scenes(folder / f'{name}.mp4', *[('plain', *name.split())] * 2)
    found['short'] = write_scenes(folder / 'short.mp4', ('plain', 'red', 'circle'))
    parts = [('plain', 'red', 'circle')] * 3 + [('plain', 'blue', 'star')] * 3
    found['both'] = write_scenes(folder / 'both.mp4', *parts)
    return found


@pytest.fixture(scope='session')
def damaged(clips, tmp_path_factory) -> Path:
    """A video of which the second half is missing."""
    path = tmp_path_factory.mktemp('damaged') / 'holiday.mp4'
    content = clips['both'].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.fixture
def upload(client):
    """A function that uploads a file and gives the answer."""

    def send(path: Path, **query) -> httpx.Response:
        content = path.read_bytes()
        return client.post('/api/videos', params={'name': path.name, **query}, content=content)

    return send
