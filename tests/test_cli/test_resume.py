"""Runs that are killed and go on."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ovmlv.cli.output_file import OutputFile
from ovmlv.cli.result_formats import JsonLines

from .conftest import LABELS, MODEL

# Half of the n-th text is written, then the process is gone.
KILLED = """
import os, signal, sys
from ovmlv.cli import main
from ovmlv.cli.output_file import OutputFile

write, left = OutputFile._write, int(sys.argv.pop(1))

def torn(self, text):
    global left
    left -= 1
    if left:
        return write(self, text)
    self._file.write(text.encode()[: len(text) // 2])
    self._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

OutputFile._write = torn
main(sys.argv[1:])
"""


def read(path):
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def check(output, report, good, bad):
    """Every good video once, with the label that it has; every bad one in the report."""
    rows = read(output)
    assert sorted(row['video'] for row in rows) == sorted(good)
    assert {row['video']: row['labels'][0]['label'] for row in rows} == good
    found = read(report)
    assert sorted(row['video'] for row in found) == sorted(bad)
    assert all(row['video'] in row['error'] and '\n' not in row['error'] for row in found)


def arguments(folder, output, report):
    labels = ['--labels', *LABELS, '--top-k', '2']
    run = ['--batch-size', '4', '--output', output, '--report', report, '--resume']
    return list(map(str, ['tag', folder, *MODEL, *labels, *run]))


@pytest.mark.slow
def test_killed_while_writing(command, clips, fill, tmp_path, repository):
    good, bad = fill(tmp_path / 'videos', clips, 25, 5)
    output, report = tmp_path / 'tags.jsonl', tmp_path / 'bad.jsonl'
    args = arguments(tmp_path / 'videos', output, report)
    done = subprocess.run([sys.executable, '-c', KILLED, '12', *args], cwd=repository)
    assert done.returncode == -signal.SIGKILL
    before = output.read_bytes()
    assert before.count(b'\n') == 11 and not before.endswith(b'\n')
    status, out, err = command(*args)
    assert (status, out) == (3, '')
    assert '14 tagged, 11 done before, 5 could not be read' in err
    assert output.read_bytes().startswith(before.rpartition(b'\n')[0])
    check(output, report, good, bad)
    # Once more: only the bad ones are looked at.
    content = output.read_bytes()
    status, _, err = command(*args)
    assert (status, output.read_bytes()) == (3, content)
    assert '0 tagged, 25 done before, 5 could not be read' in err
    for path in bad:
        os.unlink(path)
    assert command(*args)[0] == 0
    assert report.read_text() == ''


@pytest.mark.parametrize('rows', [1, 1.5, 2])
def test_rows_of_a_csv_file(command, clips, fill, tmp_path, monkeypatch, rows):
    """An interrupted run's last video may lack rows; it is tagged again."""
    good, _bad = fill(tmp_path / 'videos', clips, 9, 2)
    output, report = tmp_path / 'tags.csv', tmp_path / 'bad.jsonl'
    args = arguments(tmp_path / 'videos', output, report)
    write, calls = OutputFile._write, itertools.count(1)

    def torn(self, text):
        if next(calls) < 6:
            return write(self, text)
        whole, part = text.splitlines(keepends=True)
        write(self, {1: whole, 1.5: whole + part[:5], 2: text}[rows])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(OutputFile, '_write', torn)
        status, _, err = command(*args)
    assert (status, err.splitlines()[-1]) == (130, 'interrupted')
    before = output.read_text()
    status, _, err = command(*args)
    assert status == 3 and '5 tagged, 4 done before, 2 could not be read' in err
    assert output.read_text().startswith(''.join(before.splitlines(keepends=True)[:9]))
    found = [line.split(',') for line in output.read_text().splitlines()]
    assert found[0] == ['video', 'label', 'probability']
    assert sorted(row[0] for row in found[1:]) == sorted(list(good) * 2)
    assert {video: label for video, label, _ in reversed(found[1:])} == good
    # A run that came to its end is whole: nothing is tagged again.
    assert '0 tagged, 9 done before' in command(*args)[2]


@pytest.mark.slow
def test_500_videos_killed_half_way(clips, fill, tmp_path, repository):
    good, bad = fill(tmp_path / 'videos', clips, 475, 25)
    output, report = tmp_path / 'tags.jsonl', tmp_path / 'bad.jsonl'
    args = [sys.executable, '-m', 'ovmlv', *arguments(tmp_path / 'videos', output, report)]
    log = (tmp_path / 'log').open('wb')
    process = subprocess.Popen(args, cwd=repository, stderr=log)
    while not output.exists() or output.read_bytes().count(b'\n') < 235:
        assert process.poll() is None, 'it ended too early'
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    first = output.read_bytes().count(b'\n')
    assert 235 <= first < 475
    assert report.read_bytes()
    done = subprocess.run(args, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr[-2000:]
    assert done.stdout == ''
    assert f'{475 - first} tagged, {first} done before, 25 could not be read' in done.stderr
    check(output, report, good, bad)


def test_what_is_refused(command, clips, tmp_path):
    output = tmp_path / 'tags.jsonl'
    tag = ['tag', clips[0], *MODEL, '--labels', *LABELS]
    to = ['--output', output]
    assert command(*tag, *to)[0] == 0
    content = output.read_bytes()
    for more, words in [
        (to, 'exists; --resume goes on with it, --overwrite replaces it'),
        ([*to, '--resume', '--top-k', 1], 'other --top-k (None, now 1)'),
        ([*to, '--resume', '--window', 1], 'other --window'),
        (['--resume'], '--resume needs --output'),
        (['--resume', '--output', tmp_path / 'a.txt'], '--resume needs the format jsonl or csv'),
        ([*to, '--resume', '--format', 'csv'], 'other --format'),
        ([*to, '--resume', '--report', output], 'is --output, too'),
        (['--output', tmp_path, '--format', 'csv'], 'is a folder'),
        (['--output', tmp_path / 'tags'], 'tells no format'),
        (['--output', clips[0] / 'a.csv'], 'cannot be written'),
    ]:
        status, out, err = command(*tag, *more)
        assert (status, out) == (2, ''), more
        assert words in err and err.count('\n') == 1, err
        assert output.read_bytes() == content
    assert command('tag', clips[0], *MODEL, '--labels', 'a tree', *to, '--resume')[0] == 2
    assert command('tag', clips[1], *MODEL, '--labels', 'a', *to, '--overwrite')[0] == 0
    assert [row['video'] for row in read(output)] == [str(clips[1])]
    with output.open('a') as file:
        file.write('{"video": 1\n{}\n')
    status, _, err = command('tag', clips[1], *MODEL, '--labels', 'a', *to, '--resume')
    assert status == 2 and 'line 2 is no result' in err


def test_a_run_that_does_not_start_leaves_no_files(command, clips, tmp_path):
    for ending in ('csv', 'jsonl'):
        output = ['--output', tmp_path / f'tags.{ending}']
        assert command('tag', clips[0], '--model', 'none.py', '--labels', 'a', *output)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_only_one_run_at_a_time(command, clips, tmp_path):
    pytest.importorskip('fcntl')
    output = tmp_path / 'tags.jsonl'
    args = ['tag', clips[0], *MODEL, '--labels', 'a', '--output', output, '--resume']
    with OutputFile(str(output), None, JsonLines()):
        status, _, err = command(*args)
        assert status == 2 and 'another run is writing' in err
    assert command(*args)[0] == 0


def test_relative_paths_are_resumed_where_they_were_begun(command, clips, tmp_path, monkeypatch):
    output = tmp_path / 'tags.jsonl'
    monkeypatch.chdir(clips[0].parent)
    args = [*MODEL, '--labels', 'a', '--output', output, '--resume']
    assert command('tag', clips[0].name, *args)[0] == 0
    assert '1 done before' in command('tag', clips[0], *args)[2]  # the same in another spelling
    monkeypatch.chdir(tmp_path)
    status, _, err = command('tag', clips[0], *args)
    assert status == 2 and f'was begun in {clips[0].parent}' in err
