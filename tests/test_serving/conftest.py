"""A real server with the shipped tiny CLIP, and videos whose content is known."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import httpx
import numpy as np
import psutil
import pytest

from ovmlv.apis import OVMLVInferencer
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
    log: Path

    @property
    def access_log(self) -> Path:
        """Lines of JSON, where it writes them."""
        return self.log.with_name('access.jsonl')

    @property
    def address(self) -> tuple[str, int]:
        """For sockets."""
        host, port = self.url.removeprefix('http://').split(':')
        return host, int(port)

    def named(self) -> list[str]:
        """Files in its folder, but for those of torch."""
        return [name for name in os.listdir(self.folder) if not name.startswith('torch')]

    def left_over(self) -> list[str]:
        """Files of uploads that it has open, and whatever has a name."""
        found = self.named()
        for link in Path(f'/proc/{self.process.pid}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed a moment ago
                if (file := os.readlink(link)).startswith(str(self.folder)):
                    found.append(file)
        return found


@contextlib.contextmanager
def start_server(tmp_path_factory, *command: object) -> Iterator[RunningServer]:
    """A server in a process of its own, which is ended here unless it has ended."""
    folder = tmp_path_factory.mktemp('server')
    root = Path(__file__).parents[2]
    log = tmp_path_factory.mktemp('log') / 'server.log'
    environment = {
        **os.environ,
        'ACCESS_LOG': str(log.with_name('access.jsonl')),
        'TMPDIR': str(folder),
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': os.pathsep.join(filter(None, [str(root), os.environ.get('PYTHONPATH')])),
    }
    with log.open('w') as stderr:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            text=True,
        )
    try:
        address = _address(process)
        assert address, f'it did not start\n{log.read_text()}'
        running = RunningServer(address, psutil.Process(process.pid), folder, log)
        socket.create_connection(running.address).close()  # it listens before it says so
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert not running.named(), 'nothing stays on the disk'


@pytest.fixture(scope='session')
def server(tmp_path_factory, indexed):
    """With an index, where its packages are."""
    script = Path(__file__).with_name('run_server.py')
    videos = [] if index_missing() else [indexed.folder]
    with start_server(tmp_path_factory, script, json.dumps(LIMITS), *videos) as running:
        yield running


def _address(process: subprocess.Popen) -> str | None:
    """The address that it prints; before it, there may be warnings of a bad video."""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if ready.select(1):
                line = process.stdout.readline()
                found = re.search(r'http://127\.0\.0\.1:\d+', line)
                if found or not line:
                    return found and found[0]
    return None


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


@dataclass
class Indexed:
    """A video index and where its videos are."""

    folder: Path
    index: Path


def index_missing() -> str:
    """Why tests of a video index are skipped; empty if they are not."""
    names = [name for name in ('lancedb', 'pyarrow') if importlib.util.find_spec(name) is None]
    return f"{', '.join(names)} not installed: pip install 'ovmlv[index]'" if names else ''


@pytest.fixture(scope='session')
def indexed(clips, damaged, tmp_path_factory) -> Indexed:
    """A folder of the clips, and one that cannot be read, of which the server makes an index."""
    folder = tmp_path_factory.mktemp('indexed')
    for path in (*clips.values(), damaged):
        shutil.copy2(path, folder)
    return Indexed(folder, folder / 'index')


@pytest.fixture(scope='session')
def plain_inferencer():
    """The model of the server in this process."""
    return OVMLVInferencer('motionshapes', device='cpu')


@pytest.fixture
def upload(client):
    """A function that uploads a file and gives the answer."""

    def send(path: Path, **query) -> httpx.Response:
        content = path.read_bytes()
        return client.post('/api/videos', params={'name': path.name, **query}, content=content)

    return send


@pytest.fixture(scope='session')
def endless(tmp_path_factory) -> Path:
    """A small file that takes minutes to make windows of, asked for with ``ENDLESS``."""
    path = tmp_path_factory.mktemp('endless') / 'endless.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=1, options={'preset': 'ultrafast'})
        stream.width, stream.height, stream.pix_fmt = 4096, 2304, 'yuv420p'
        frame = av.VideoFrame.from_ndarray(np.full((2304, 4096, 3), 128, np.uint8))
        for _ in range(16):
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert path.stat().st_size < 100_000
    return path


#: Query of an upload.
ENDLESS = dict(window=0.1, stride=0.08)
#: A server of the command line.
SERVE = ('-m', 'ovmlv', 'serve', '--model', 'motionshapes', '--device', 'cpu', '--port', 0)
