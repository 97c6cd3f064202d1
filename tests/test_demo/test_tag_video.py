"""The demo as a user runs it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video

LABELS = ['red circle', 'blue square', 'checkered background', 'plain background']


@pytest.fixture(scope='module')
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('demo') / 'a clip.mp4'
    scene = Scene('plain', (Actor('circle', 'red', 'standing still'),))
    write_video(path, render_clip(scene, 12, np.random.default_rng(0)))
    return path


def run(repository, *arguments, folder=None):
    return subprocess.run(
        [sys.executable, str(repository / 'demo' / 'tag_video.py'), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder or repository,
        env={**os.environ, 'PYTHONIOENCODING': 'utf-8'},
    )


@pytest.fixture(scope='module')
def zero_shot(repository):
    return ['--config', repository / 'configs' / 'zeroshot_motionshapes.py', '--device', 'cpu']


def test_table(repository, zero_shot, video, tmp_path):
    done = run(repository, video, '--labels', *LABELS, *zero_shot, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(video)
    assert len(lines) == 1 + len(LABELS)
    assert {line.split('  ')[1].strip() for line in lines[1:3]} == {
        'red circle',
        'plain background',
    }
    assert len({line.index('.') for line in lines[1:]}) == 1, 'probabilities are not aligned'
    assert 'zero-shot' in done.stderr.splitlines()[0]


def test_json_and_labels_file(repository, zero_shot, video, tmp_path):
    file = tmp_path / 'labels.txt'
    file.write_text('\n'.join(LABELS) + '\n\n')
    done = run(repository, '--labels-file', file, '--json', '--top-k', 1, *zero_shot, video, video)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        result = json.loads(line)  # logs on stdout would break this
        assert result['video'] == str(video)
        assert [score['label'] for score in result['labels']] in (
            [['red circle'], ['plain background']]
        )
    assert len(done.stdout.splitlines()) == 2


@pytest.fixture(scope='module')
def demo(repository):
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('demo', repository / 'demo' / 'tag_video.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.mp4', '--labels', 'a'], 'error: video none.mp4 not found'),
        ([__file__, '--labels', 'a', 'a'], "error: label 'a' is given twice"),
        ([__file__, '--labels-file', 'none.txt'], 'error: classes: file none.txt not found'),
        ([__file__, '--labels', 'a', '--config', 'none.py'], 'error: there is no config none.py'),
        ([__file__, '--labels', 'a', '--checkpoint', 'x.pth'], '--checkpoint needs the --config'),
        ([__file__], 'one of the arguments --labels --labels-file is required'),
    ],
)
def test_mistakes(demo, capsys, arguments, message):
    from ovmlv.utils.cli import run_tool

    try:
        status = run_tool(demo.main, demo.parse_args(arguments))
    except SystemExit as error:  # of argparse
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_newest_checkpoint_is_the_default(demo, tmp_path, monkeypatch):
    folders = (tmp_path / 'a', tmp_path / 'b')
    monkeypatch.setattr(demo, 'ROOT', tmp_path)
    for name in ('CONFIG', 'ZERO_SHOT'):
        monkeypatch.setattr(demo, name, tmp_path / f'{name}.py')
    monkeypatch.setattr(demo, 'WORK_DIRS', folders)
    config, checkpoint, what = demo.choose_model(None, None)
    assert (config, checkpoint) == (str(tmp_path / 'ZERO_SHOT.py'), None)
    assert 'zero-shot' in what and '\n' not in what
    for age, path in enumerate([folders[1] / 'epoch_1.pth', folders[0] / 'epoch_9.pth']):
        path.parent.mkdir()
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    assert demo.choose_model(None, None)[1] == str(folders[1] / 'epoch_1.pth')
    assert demo.choose_model('mine.py', None)[:2] == ('mine.py', None)
