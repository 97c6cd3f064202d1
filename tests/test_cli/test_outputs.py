"""Where commands write: devices, pipes, files of others, full disks, and wrong places."""

import io
import json
import os
import socket
import stat
import subprocess
import sys
import threading

import pytest

from ovmlv.cli import main

from .conftest import LABELS, MODEL

ROOT = hasattr(os, 'geteuid') and os.geteuid() == 0


@pytest.fixture
def tag(clips):
    return ['tag', clips[0], *MODEL, '--labels', *LABELS, '--format', 'jsonl', '--output']


@pytest.fixture
def device(tmp_path):
    """A device like /dev/null, in a folder where all may be removed."""
    if not ROOT:
        pytest.skip('only root makes devices')
    path = tmp_path / 'null.jsonl'
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        path.write_bytes(b'')
    except OSError:
        pytest.skip('no devices may be made or opened here')
    return path


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB."""
    folder = tmp_path / 'small'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', str(folder)]
    if not ROOT or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('no file system may be mounted here')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def refused(found, *words):
    status, out, err = found
    assert (status, out) == (2, ''), err
    assert err.count('\n') == 1 and err.startswith('error: '), err
    assert all(word in err for word in words), err


def test_a_device_is_written_through(command, tag, device):
    """FAULTS B3: it was unlinked."""
    assert command(*tag, device)[0] == 0
    assert stat.S_ISCHR(device.stat().st_mode)
    refused(command('tag', tag[1], '--model', 'none.py', '--labels', 'a', '--output', device))
    assert stat.S_ISCHR(device.stat().st_mode)
    refused(command(*tag, device, '--resume'), '--resume needs a file')
    assert command(*tag, device, '--report', device.with_name('bad.jsonl'))[0] == 0
    assert [path.name for path in device.parent.iterdir() if 'run.json' in path.name] == []


def test_a_pipe_is_written_through(command, tag, tmp_path):
    """FAULTS B3"""
    pipe, found = tmp_path / 'pipe', []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert command(*tag, pipe)[0] == 0
    reader.join(10)
    assert json.loads(found[0])['video'] == str(tag[1])
    # Nobody reads: that it is not even opened is what lets this end.
    refused(
        command(
            'tag',
            tag[1],
            '--model',
            'none.py',
            '--labels',
            'a',
            '--output',
            pipe,
            '--format',
            'csv',
        )
    )
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_no_results_go_to(command, tag, tmp_path):
    """FAULTS B3"""
    path = tmp_path / 's'
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        refused(command(*tag, path), 'no regular file, pipe or terminal')
    assert stat.S_ISSOCK(path.stat().st_mode)
    refused(command(*tag, tmp_path), 'is a folder')
    refused(command(*tag, tag[1] / 'a.csv'), 'cannot be written')
    refused(command(*tag, tmp_path / ('x' * 300)), 'cannot be written')


@pytest.mark.parametrize(
    'wrong',
    [
        ['--model', 'none.py'],
        ['--weights', 'none.pth'],
        ['--calibration', 'none.json'],
        ['--cfg-options', 'model.nothing=1'],
    ],
    ids=lambda wrong: wrong[0],
)
@pytest.mark.parametrize('ending', ['jsonl', 'csv'])
def test_old_results_stay_until_the_model_is_there(command, clips, tmp_path, wrong, ending):
    """FAULTS B3: a mistyped model with ``--overwrite`` destroyed them; an empty file went."""
    output, empty = tmp_path / f'tags.{ending}', tmp_path / f'empty.{ending}'
    output.write_text('old results\n')
    empty.touch()
    tag = ['tag', clips[0], '--device', 'cpu', '--labels', 'a', '--overwrite', '--output']
    wrong = wrong if wrong[0] == '--model' else ['--model', 'motionshapes', *wrong]
    refused(command(*tag, output, *wrong))
    assert output.read_text() == 'old results\n'
    refused(command(*tag, empty, *wrong))
    assert empty.read_bytes() == b''
    new = tmp_path / f'new.{ending}'
    refused(command(*tag, new, *wrong))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([output.name, empty.name])


def test_labels_that_cannot_be_read_keep_old_results(command, clips, tmp_path):
    """FAULTS B3"""
    output = tmp_path / 'tags.csv'
    output.write_text('old results\n')
    tag = ['tag', clips[0], *MODEL, '--overwrite', '--output', output]
    for labels in (['--labels-file', 'none.txt'], ['--bank', 'none'], ['--labels', 'a', 'a'], []):
        refused(command(*tag, *labels))
        assert output.read_text() == 'old results\n'


@pytest.mark.parametrize('kind', ['pipe', 'folder', 'below a file'])
@pytest.mark.parametrize(
    'arguments',
    [
        'tag {clip} --labels a --save-video {path}.mp4',
        'tag {clip} --labels a --save-sheet {path}.png',
        'tag {clip} --labels a --save-timeline {path}.png',
        'export --labels a --labels-only {path}.json',
        'calibrate p.safetensors --out {path}.json',
        'calibrate p.safetensors --report {path}.json',
    ],
    ids=lambda text: text.split()[-2],
)
def test_other_outputs_that_are_files(command, clips, tmp_path, kind, arguments):
    """FAULTS B3: one writer for all, and refused before a model is loaded."""
    model = [] if '--out' in arguments or '--report' in arguments else MODEL
    path = tmp_path / 'x'
    ending = arguments.rpartition('{path}')[2]
    target = tmp_path / f'x{ending}'
    if kind == 'pipe':
        os.mkfifo(target)
    elif kind == 'folder':
        target.mkdir()
    else:
        (tmp_path / 'file').touch()
        path = tmp_path / 'file' / 'x'
    words = [word.format(clip=clips[0], path=path) for word in arguments.split()]
    refused(command(*words, *model))
    assert kind == 'below a file' or stat.S_IFMT(target.stat().st_mode) in (
        stat.S_IFIFO,
        stat.S_IFDIR,
    )


@pytest.mark.parametrize('kind', ['file', 'pipe', 'below a file'])
@pytest.mark.parametrize(
    'arguments',
    [
        'export --labels a --out {path}',
        'publish --out {path}',
        'bank build {path} --labels a',
        'tag {clip} --labels a --save-video {path}',
        'tag {clip} --labels a --save-sheet {path}',
    ],
)
def test_other_outputs_that_are_folders(command, clips, tmp_path, kind, arguments):
    """FAULTS B3, D17"""
    path = tmp_path / 'x'
    if kind == 'pipe':
        os.mkfifo(path)
    else:
        path.write_text('mine')
    before = path.lstat()
    place = path / 'y' if kind == 'below a file' else path
    words = [word.format(clip=clips[0], path=place) for word in arguments.split()]
    refused(command(*words, *MODEL))
    assert path.lstat().st_ino == before.st_ino and path.lstat().st_size == before.st_size


def test_a_full_disk(command, clips, fill, tmp_path, small_disk):
    """FAULTS D17: one line, and the results so far are kept and gone on with."""
    good, _ = fill(tmp_path / 'videos', clips, 12, 0)
    output = small_disk / 'tags.jsonl'
    many = [f'{label} {i}' for i in range(30) for label in LABELS]
    tag = ['tag', tmp_path / 'videos', *MODEL, '--labels', *many, '--output', output]
    status, out, err = command(*tag)
    assert (status, out) == (2, '') and 'tags.jsonl cannot be written (No space left' in err
    assert err.count('\n') == 1
    whole = output.read_bytes().count(b'\n')
    assert 0 < whole < len(good)
    subprocess.run(['mount', '-o', 'remount,size=1m', str(small_disk)], check=True)
    status, _, err = command(*tag, '--resume')
    assert status == 0 and f'{len(good) - whole} tagged, {whole} done before' in err


def test_other_writers_on_a_full_disk(command, clips, small_disk):
    """FAULTS D17"""
    (small_disk / 'filler').write_bytes(bytes(61 * 1024))  # no page of 4 KB is left
    many = [f'{label} {i}' for i in range(40) for label in LABELS]
    tag = ['tag', clips[0], *MODEL, '--labels', *LABELS, '--format', 'jsonl']
    for arguments in (
        ['bank', 'build', small_disk / 'bank', *MODEL, '--labels', *many],
        ['export', *MODEL, '--labels', *many, '--labels-only', small_disk / 'labels'],
        ['publish', *MODEL, '--out', small_disk / 'model', '--include-pretrained'],
    ):
        refused(command(*arguments))
    for more in (
        ['--save-video', small_disk / 'a.mp4'],
        ['--save-sheet', small_disk / 'a.png'],
    ):
        status, _, err = command(*tag, *more)
        assert status == 2 and err.count('\n') == 1, err
    left = {path.name for path in small_disk.iterdir()}
    assert left <= {'filler', 'bank'}, 'half of a file was left behind'


def test_dev_full(command, tag):
    """FAULTS D17"""
    if not os.path.exists('/dev/full'):
        pytest.skip('no /dev/full')
    refused(command(*tag, '/dev/full'), '/dev/full cannot be written (No space left')
    assert stat.S_ISCHR(os.stat('/dev/full').st_mode)


def test_a_read_only_folder(command, tag, tmp_path):
    """FAULTS D17"""
    folder = tmp_path / 'read only'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'ro,size=64k', 'none', str(folder)]
    if not ROOT or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('no file system may be mounted here')
    try:
        refused(command(*tag, folder / 'tags.jsonl'), 'read-only')
        refused(command('bank', 'build', folder / 'words', *MODEL, '--labels', 'a'), 'read-only')
        refused(command('publish', *MODEL, '--out', folder / 'model'), 'read-only')
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def test_nothing_is_written_onto_what_is_read(command, clips, tmp_path):
    """FAULTS B3: cousins; a report replaced whatever stood there."""
    words, video = tmp_path / 'words.txt', tmp_path / 'a.mp4'
    words.write_text('a\nb\n')
    video.write_bytes(clips[0].read_bytes())
    labels = tmp_path / 'words.json'
    labels.write_text('["a", "b"]')
    other = tmp_path / 'other.jsonl'
    other.write_text('{"video": "a.mp4", "labels": []}\n')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    tag = ['tag', video, *MODEL, '--labels-file', words, '--overwrite', '--format', 'csv']
    for arguments in (
        [*tag, '--output', video],
        [*tag, '--output', words],
        [*tag, '--output', tmp_path / 'x.csv', '--report', words],
        [*tag, '--output', tmp_path / 'x.csv', '--report', other],
        [*tag[:-3], '--report', video],
        ['export', *MODEL, '--labels-file', labels, '--labels-only', tmp_path / 'words'],
        ['export', *MODEL, '--labels-file', words, '--labels-only', labels],
        ['publish', *MODEL, '--labels-file', words, '--out', tmp_path],
        ['bank', 'build', tmp_path, *MODEL, '--labels-file', words],
        ['calibrate', 'p.safetensors', '--test', labels, '--out', labels],
        ['calibrate', '--annotations', labels, '--model', 'motionshapes', '--report', labels],
    ):
        refused(command(*arguments))
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before, arguments


def test_what_a_command_wrote_it_replaces(command, clips, tmp_path):
    """FAULTS B3: the other side of it."""
    export = ['export', *MODEL, '--labels', *LABELS, '--labels-only', tmp_path / 'words']
    report = ['tag', clips[0], tmp_path / 'gone.mp4', *MODEL, '--labels', 'a', '--report']
    for _ in range(2):
        assert command(*export)[0] == 0
        assert command(*report, tmp_path / 'bad.jsonl')[0] == 3
        assert command('bank', 'build', tmp_path / 'bank', *MODEL, '--labels', 'a')[0] == 0
    # Of a build that was killed before its index was written.
    (tmp_path / 'bank' / 'bank.json').unlink()
    assert command('bank', 'build', tmp_path / 'bank', *MODEL, '--labels', 'a')[0] == 0


def test_an_empty_path_is_not_the_current_folder(command, clips, monkeypatch):
    """FAULTS D11: a variable of the shell that is not set."""
    monkeypatch.chdir(clips[0].parent)
    refused(command('tag', '', *MODEL, '--labels', 'a'), 'is no path')


def test_help_on_any_terminal(monkeypatch):
    """FAULTS D8"""
    for command in ('tag', 'bank', 'calibrate', 'serve', 'export', 'publish', 'doctor'):
        stream = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'stdout', stream)
            assert main([command, '--help']) == 0
        stream.flush()
        assert stream.buffer.getvalue().startswith(b'usage')
