"""Processes that know nothing of each other, and one result."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.index import VideoIndex
from ovmlv.index.fragment_folder import FragmentFolder
from ovmlv.index.shard import Shard

from .conftest import assert_alike
from .test_index_writer import REPOSITORY, Killed


def begin(folder, inferencer):
    return VideoIndex.create(folder, inferencer, window=1.0, tables=False)


@pytest.mark.parametrize('text', ['', '0/2', '3/2', '1', '1/2/3', 'a/b', '-1/2', '1/0', ' 1/2'])
def test_what_is_no_shard(text):
    with pytest.raises(ConfigError, match='give i/n'):
        Shard.parse(text)


def test_every_file_is_in_one_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The part of a file depends on its whole path, thus here on the folder of the test. Of 3,000
    # files, no folder that will be met puts more than 1.3 times the mean into one of seven parts.
    files = [Path(f'v/{i}.mp4') for i in range(3000)]
    for count in (1, 2, 7):
        parts = [Shard(i + 1, count).files(files) for i in range(count)]
        assert sorted(file for part in parts for file in part) == sorted(files)
        assert max(map(len, parts)) < 1.3 * 3000 / count
    files = files[:300]
    # Another spelling, and other files beside it, do not matter.
    whole = Shard(2, 3).files([file.absolute() for file in files[150:]])
    assert whole == [file.absolute() for file in Shard(2, 3).files(files) if file in files[150:]]
    for count in (1, 3, 7, 20):
        parts = [Shard(i + 1, count).slice(range(10)) for i in range(count)]
        assert [item for part in parts for item in part] == list(range(10))


def test_parts_together_are_the_whole(videos, inferencer, shared, tmp_path):
    """Also if one dies, one runs twice, and their number changes."""
    (videos / 'bad.mp4').write_bytes(b'no video')
    folder = tmp_path / 'index'
    with pytest.raises(DataError, match='merge'):
        begin(folder, inferencer).find('red circle')
    before = inferencer.num_decoded
    first = begin(folder, inferencer).add(videos, shard='1/3')
    again = begin(folder, inferencer).add(videos, shard='1/3')
    assert again.encoded == 0 and again.unchanged == first.encoded and again.unread == first.unread
    report = begin(folder, inferencer).add(videos, shard='2/2')  # another number of parts
    assert report.encoded + report.unchanged + len(report.unread) == len(
        Shard(2, 2).files(videos.iterdir())
    )
    index = begin(folder, inferencer)
    merged = index.merge()
    assert merged.merged == len(index) == inferencer.num_decoded - before
    assert index.merge().merged == 0 and not FragmentFolder(folder, index.settings).files()
    # The part that never ran is done by the next call, and the bad file is named once.
    last = index.add(videos)
    assert last.encoded == 5 - merged.merged and inferencer.num_decoded - before == 5
    assert set(last.unread) == {str(videos / 'bad.mp4')} and len(index.snapshot.rows) == 6
    one = VideoIndex.create(tmp_path / 'one', inferencer, window=1.0)
    one.add(videos)
    assert_alike(index, one)
    assert not index.verify(content=True)


def test_a_part_that_dies_goes_on(videos, inferencer, tmp_path, monkeypatch):
    folder, before = tmp_path / 'index', inferencer.num_decoded
    index = begin(folder, inferencer)
    write = FragmentFolder.write
    written = []

    def once(self, fragment):
        if written:
            raise Killed
        written.append(write(self, fragment))

    with monkeypatch.context() as patch:
        patch.setattr(FragmentFolder, 'write', once)
        with pytest.raises(Killed):
            index.add(videos, shard='1/1', commit_seconds=1e-9)
    assert len(written) == 1
    half = folder / '.fragments' / '.half.77-ab.arrow'
    half.write_bytes(b'half')
    decoded = inferencer.num_decoded
    assert index.add(videos, shard='1/1').encoded == 4
    assert inferencer.num_decoded == decoded + 4 <= before + 6
    assert index.merge().merged == 5 and len(index) == 5


def test_fragments_that_waited_for_long(videos, clips, inferencer, tmp_path):
    """The file of today counts, and of a file that is out of sight the fragment."""
    index = begin(tmp_path / 'index', inferencer)
    index.add(videos, shard='1/1')
    (videos / 'red.mp4').unlink()
    shutil.copy(videos / 'blue.mp4', videos / 'green.mp4')
    (videos / 'yellow.mp4').write_bytes(b'no video')
    assert index.merge().merged == 3
    assert 'red.mp4' in {Path(row.path).name for row in index.snapshot.rows}
    report = index.add(videos)
    assert (report.encoded, report.removed, len(report.unread)) == (1, 1, 1)
    assert {Path(row.path).name for row in index.snapshot.videos} == {
        'blue.mp4', 'green.mp4', 'turning.mp4'
    }  # fmt: skip
    # A fragment of an earlier content, beside an index of today's.
    other = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    shutil.copy(videos / 'turning.mp4', videos / 'blue.mp4')
    other.add(videos, shard='1/1')
    shutil.copy(next(clip for clip in clips if clip.stem == 'red'), videos / 'blue.mp4')
    report = other.add(videos)
    assert report.merged == 0 and report.encoded == 1 and len(other) == 3
    assert not other.verify(content=True)


def test_fragments_of_another_model_are_refused(videos, inferencer, tmp_path):
    begin(tmp_path / 'index', inferencer).add(videos / 'red.mp4', shard='1/1')
    (tmp_path / 'index' / 'index.json').unlink()
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=2.0)
    for step in (index.merge, lambda: index.add(videos), lambda: index.add(videos, shard='1/2')):
        with pytest.raises(DataError, match='another model, window') as caught:
            step()
        assert '\n' not in str(caught.value) and 'remove it' in str(caught.value)
    assert len(index) == 0


@pytest.mark.slow
def test_processes_at_the_same_time(tmp_path):
    """Three that begin the index together, one of which is killed; 60 videos, three of them bad."""
    from ovmlv.datasets.motionshapes.generate import generate

    generate(tmp_path, dict(test=60), seed=7, num_frames=16)
    videos, folder = tmp_path / 'videos', tmp_path / 'index'
    for path in sorted(videos.rglob('*.mp4'))[::20]:
        path.write_bytes(b'no video')
    common = ['--index', folder, '--model', 'motionshapes', '--device', 'cpu', '--window', 2]
    command = [sys.executable, '-W', 'ignore', '-m', 'ovmlv', 'index', 'add', videos, *common]
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}

    def start(number, *more):
        arguments = [*command, '--shard', f'{number}/3', *more]
        return subprocess.Popen(
            [*map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )

    running = [start(number, '--commit-seconds', '0.01') for number in (1, 2, 3)]
    while running[0].poll() is None and len(list(folder.glob('.fragments/[!.]*'))) < 2:
        time.sleep(0.02)
    running[0].kill()
    for process in running:
        process.communicate()
    assert running[0].returncode == -signal.SIGKILL
    assert all(process.returncode in (0, 3) for process in running[1:])
    again = start(1)
    out = again.communicate()[0].decode()
    assert again.returncode in (0, 3) and 'part 1/3 is done' in out
    index = VideoIndex.open(folder)
    report = index.merge()
    assert (report.merged, len(report.unread), len(index)) == (57, 3, 57)
    one = VideoIndex.create(tmp_path / 'one', 'motionshapes', device='cpu', window=2.0)
    one.add(videos)
    assert_alike(index, one)
    assert not index.verify(content=True)
    assert index.status(videos).new == 0
