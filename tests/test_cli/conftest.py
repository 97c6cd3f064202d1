"""Videos of known content, and the command as a function."""

import os
from pathlib import Path

import numpy as np
import pytest

from ovmlv.cli import main
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video

COLORS = ('red', 'green', 'blue', 'yellow')
LABELS = [f'{color} circle' for color in COLORS]
MODEL = ['--model', 'motionshapes', '--device', 'cpu']


@pytest.fixture(scope='session')
def clips(tmp_path_factory) -> list[Path]:
    """A circle of each colour."""
    folder = tmp_path_factory.mktemp('clips')
    for color in COLORS:
        scene = Scene('plain', (Actor('circle', color, 'standing still'),))
        frames = render_clip(scene, 12, np.random.default_rng(0))
        write_video(folder / f'{color}.mp4', frames)
    return [folder / f'{color}.mp4' for color in COLORS]


@pytest.fixture(scope='session')
def fill():
    """A function that fills a folder with good and damaged videos, each of its own name.

    It gives the good ones with their labels, and the damaged ones.
    """

    def write(folder: Path, clips: list[Path], good: int, bad: int):
        labels, damaged = {}, []
        for i in range(good):
            path = folder / f'{i % 7}' / f'good {i:03}.mp4'
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(clips[i % len(clips)], path)
            labels[str(path)] = LABELS[i % len(clips)]
        whole = clips[0].read_bytes()
        kinds = [
            ('cut.mp4', whole[: len(whole) // 2]),
            ('cut early.mp4', whole[:40]),
            ('empty.mp4', b''),
            ('text.mkv', b'no video at all\n' * 50),
            ('archive.webm', b'PK\x05\x06' + bytes(18)),  # of another kind than its suffix says
        ]
        for i in range(bad):
            name, content = kinds[i % len(kinds)]
            path = folder / f'{i % 7}' / f'{i:03} {name}'
            path.write_bytes(content)
            damaged.append(str(path))
        (folder / 'notes.txt').write_text('not taken for a video\n')
        return labels, damaged

    return write


@pytest.fixture
def command(capsys):
    """The command: arguments -> exit status, stdout, stderr."""

    def run(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run
