"""Workers of Ray: the index of one process, whoever is killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.index import RayEngine, VideoIndex
from ovmlv.index.fragment_folder import FragmentFolder
from ovmlv.index.ray_cluster import RayCluster, WorkerPlan, plan_workers
from ovmlv.index.ray_engine import _tasks
from ovmlv.index.ray_workers import EncodingSetup, Unseen, Written
from ovmlv.index.settings import ModelName
from ovmlv.index.video_rows import look_at

from .conftest import LABELS, assert_alike
from .test_index_writer import REPOSITORY

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec('ray') is None, reason="ray not installed: pip install 'ovmlv[ray]'"
)
ENGINE = RayEngine(device='cpu', workers=2, worker_cpus=1)
COUNT, BAD = 200, 10


# --- without a cluster ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('nodes', 'asked', 'plan'),
    [
        ([{'CPU': 2}], {}, (1, 2, 0)),
        ([{'CPU': 1}], {}, (1, 1, 0)),
        ([{'CPU': 16}, {'CPU': 5}], {}, (10, 2, 0)),
        ([{'CPU': 16}, {'CPU': 5}], dict(cpus=4), (5, 4, 0)),
        ([{'CPU': 16, 'GPU': 2}, {'CPU': 5}], {}, (2, 1, 1)),
        ([{'CPU': 16, 'GPU': 2}], dict(gpus=0.5), (4, 1, 0.5)),
        ([{'CPU': 2, 'GPU': 8}], {}, (2, 1, 1)),
        ([{'CPU': 16, 'GPU': 2}], dict(device='cpu'), (8, 2, 0)),
        ([{'CPU': 16, 'GPU': 2}], dict(gpus=0), (8, 2, 0)),
        ([{'CPU': 2}], dict(workers=2, cpus=1), (2, 1, 0)),
        ([{'CPU': 2}], dict(workers=9), (9, 2, 0)),  # a cluster that grows when it is asked
        ([{'CPU': 3}], dict(cpus=0.3), (10, 0.3, 0)),
    ],
)
def test_what_workers_have(nodes, asked, plan):
    assert plan_workers(nodes, **asked) == WorkerPlan(*plan)


@pytest.mark.parametrize(
    ('nodes', 'asked'),
    [
        ([{'CPU': 16}], dict(device='cuda')),
        ([{'CPU': 16}], dict(gpus=1)),
        ([{'CPU': 4}, {'CPU': 4}], dict(cpus=5)),
        ([{'CPU': 4, 'GPU': 1}], dict(device='cpu', gpus=1)),
        ([], {}),
    ],
)
def test_what_no_machine_has(nodes, asked):
    with pytest.raises(ConfigError, match='--worker-gpus') as caught:
        plan_workers(nodes, **asked)
    assert '\n' not in str(caught.value)


def test_tasks_are_all_items_once():
    for count in (1, 2, 15, 16, 17, 129, 1000):
        for workers in (1, 2, 64):
            tasks = list(_tasks(range(count), workers, 16))
            assert [item for task in tasks for item in task] == list(range(count))
            assert max(map(len, tasks)) <= 16
            assert len(tasks) >= min(count, 4 * workers)


def test_a_worker_writes_what_one_process_gives(clips, shared, tmp_path):
    """And says what it does not see."""
    name, plan = ModelName('motionshapes'), WorkerPlan(1, 1, 0)
    setup = EncodingSetup(tmp_path, shared.settings, name, None)
    fragments = FragmentFolder(tmp_path, shared.settings)
    with fragments.mark() as setup.mark:
        work = setup.open(plan)
    rows = tuple(look_at(clip) for clip in clips)
    done = work(rows)
    assert isinstance(done, Written) and done.timings.encode > 0 and work(rows).file == done.file
    index = VideoIndex.create(tmp_path / 'index', shared.inferencer, window=1.0)
    (index.folder / '.fragments').symlink_to(fragments.folder)
    assert index.merge().merged == len(clips)
    assert_alike(index, shared)
    gone = work((rows[0], look_at(shutil.copy(clips[0], tmp_path / 'gone.mp4'))))
    assert isinstance(gone, Written)
    (tmp_path / 'gone.mp4').unlink()
    row = look_at(clips[0])
    unseen = work((row, type(row)(str(tmp_path / 'gone.mp4'), 1, 1)))
    assert unseen == Unseen(str(tmp_path / 'gone.mp4'), os.uname().nodename)
    with pytest.raises(ConfigError, match='does not see index'):
        setup.open(plan)  # the mark is gone
    other = {**shared.settings.encoder, 'fingerprint': '0'}
    setup.settings = type(shared.settings)(other, *list(vars(shared.settings).values())[1:])
    with (
        FragmentFolder(tmp_path, setup.settings).mark() as setup.mark,
        pytest.raises(CheckpointError, match='another model'),
    ):
        setup.open(plan)


# --- with real clusters --------------------------------------------------------------------------


@pytest.fixture(scope='module')
def collection(tmp_path_factory) -> Path:
    """200 videos of 2 s, ten of them damaged."""
    from ovmlv.datasets.motionshapes.generate import generate

    folder = tmp_path_factory.mktemp('collection')
    generate(folder, dict(test=COUNT), seed=7, num_frames=16)
    paths = sorted((folder / 'videos').rglob('*.mp4'))
    for path in paths[:: COUNT // BAD]:
        path.write_bytes(path.read_bytes()[:300])
    return folder / 'videos'


@pytest.fixture(scope='module')
def wanted(collection, tmp_path_factory):
    """The index that one process makes."""
    index = VideoIndex.create(
        tmp_path_factory.mktemp('one') / 'index', 'motionshapes', device='cpu', window=2.0
    )
    report = index.add(collection)
    assert (report.encoded, len(report.unread)) == (COUNT - BAD, BAD)
    return index, report


@pytest.fixture(scope='module')
def cluster() -> Iterator[RayCluster]:
    with RayCluster(None, cpus=2) as found:
        yield found


def new_index(folder) -> VideoIndex:
    return VideoIndex.create(folder / 'index', 'motionshapes', device='cpu', window=2.0)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Workers of the cluster that a process began."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.cmdline()[:1] and child.cmdline()[0].startswith('ray::Worker'):
                found.append(child)
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not come about in time'
        time.sleep(0.02)


def num_fragments(folder: Path) -> int:
    return len(list((folder / '.fragments').glob('[!.]*.arrow')))


def assert_same(index, wanted) -> None:
    assert_alike(index, wanted)
    assert not index.verify(content=True) and not num_fragments(index.folder)


@needs_ray
@pytest.mark.parametrize('address', ['127.0.0.1:1', 'ray://127.0.0.1:1', 'localhost:1', '[::1]:1'])
def test_no_cluster_there_is_one_line(address):
    """It stands before those of `cluster`: an open connection is used, whatever the address."""
    with pytest.raises(ConfigError, match='no Ray cluster answers') as caught:
        RayCluster(address).__enter__()
    assert '\n' not in str(caught.value) and '--address' in str(caught.value)


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize('address', ['auto', 'nonsense'])
def test_no_cluster_by_this_name_is_one_line(address, tmp_path, monkeypatch):
    """The words of Ray itself go over many lines. (`auto` would find the `cluster` of below.)"""
    monkeypatch.setenv('RAY_TMPDIR', str(tmp_path))
    code = (
        'from ovmlv.index.ray_cluster import RayCluster\n'
        f'try: RayCluster({address!r}).__enter__()\n'
        'except ValueError as error: print("ONE LINE", error)'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith('ONE LINE') and f'no Ray cluster at {address}' in line


@needs_ray
@pytest.mark.slow
def test_a_worker_is_killed(collection, wanted, cluster, tmp_path):
    index, killed = new_index(tmp_path), []

    def kill_one() -> None:
        wait_for(lambda: num_fragments(index.folder) >= 4)
        while not killed:
            for worker in workers_of(psutil.Process())[:1]:
                worker.send_signal(signal.SIGKILL)
                killed.append(num_fragments(index.folder))

    thread = threading.Thread(target=kill_one)
    thread.start()
    report = index.add(collection, engine=ENGINE, commit_seconds=1000)
    thread.join()
    assert killed and killed[0] < COUNT // 16
    assert (report.encoded, report.merged) == (COUNT - BAD, 0)
    assert report.unread == wanted[1].unread and report.windows == wanted[1].windows
    assert_same(index, wanted[0])
    again = index.add(collection, engine=ENGINE)
    assert again.encoded == 0 and again.unchanged == COUNT - BAD


def command(*arguments) -> list[str]:
    return [sys.executable, '-W', 'ignore', '-m', 'ovmlv', 'index', *map(str, arguments)]


@needs_ray
@pytest.mark.slow
def test_the_driver_is_killed(collection, wanted, tmp_path):
    """Then nothing of it stays, and what was written is not encoded again."""
    folder = tmp_path / 'index'
    add = ['add', collection, '--index', folder, '--model', 'motionshapes', '--device', 'cpu']
    add += ['--window', 2, '--engine', 'ray', '--workers', 2, '--worker-cpus', 1]
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    before = set(Path('/tmp').glob('ovmlv-ray-*'))
    with subprocess.Popen(
        command(*add, '--commit-seconds', 1000),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        wait_for(lambda: num_fragments(folder) >= 4 or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    written = num_fragments(folder)
    assert 4 <= written < COUNT // 16
    done = subprocess.run(command(*add), capture_output=True, text=True, env=environment)
    assert done.returncode == 3, done.stderr[-3000:]  # bad videos
    # Two may have been written by workers that were not dead yet.
    merged = int(done.stdout.split(' encoded before and taken in')[0].split(' ')[-1])
    assert merged >= written * 16 - BAD
    assert f'{COUNT - BAD - merged} videos encoded' in done.stdout
    index = VideoIndex.open(folder)
    assert_same(index, wanted[0])
    assert done.stderr.count('cannot be read') == BAD
    psutil.wait_procs(family, timeout=120)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    left = set(Path('/tmp').glob('ovmlv-ray-*')) - before
    assert len(left) <= 1  # of the killed one; its like goes when a run ends
    for path in left:
        shutil.rmtree(path)


@needs_ray
@pytest.mark.slow
def test_a_file_that_kills_its_workers_is_reported(videos, cluster, tmp_path):
    """Beside bad ones; all others are there."""
    poison = videos / 'poison.mp4'
    with open(poison, 'wb') as file:
        file.truncate(2_000_000_000)  # hashing it takes a second or two
    (videos / 'bad.mp4').write_bytes(b'no video')
    index, over, kills = new_index(tmp_path), threading.Event(), []

    def kill_all_who_read_it() -> None:
        while not over.wait(0.05):
            for worker in workers_of(psutil.Process()):
                with contextlib.suppress(psutil.Error, OSError):
                    if str(poison) in {file.path for file in worker.open_files()}:
                        worker.kill()
                        kills.append(worker.pid)

    thread = threading.Thread(target=kill_all_who_read_it)
    thread.start()
    try:
        report = index.add(videos, engine=ENGINE)
    finally:
        over.set()
        thread.join()
    assert report.encoded == 5 and len(set(kills)) >= 3
    assert set(report.unread) == {str(poison), str(videos / 'bad.mp4')}
    line = report.unread[str(poison)]
    assert 'ended 3 workers' in line and '\n' not in line and len(line) < 600
    assert index.add(videos).unread == report.unread  # it is remembered, and not read again


@needs_ray
@pytest.mark.slow
def test_what_workers_do_not_see_is_one_line(clips, inferencer, cluster, tmp_path):
    """A folder that only this process has, by a descriptor."""
    import fcntl

    opened = [os.open(folder, os.O_RDONLY) for folder in (clips[0].parent, tmp_path)]
    own = [fcntl.fcntl(number, fcntl.F_DUPFD, 700) for number in opened]
    try:
        seen = [Path(f'/proc/self/fd/{number}') for number in own]
        index = new_index(tmp_path)
        with pytest.raises(ConfigError, match=r'does not see .*\.mp4') as caught:
            index.add(f'{seen[0]}/', engine=ENGINE)
        assert '\n' not in str(caught.value) and os.uname().nodename in str(caught.value)
        hidden = VideoIndex.open(seen[1] / 'index')
        with pytest.raises(ConfigError, match='does not see index'):
            hidden.add(clips, engine=ENGINE)
    finally:
        for number in opened + own:
            os.close(number)
    made = VideoIndex.open(tmp_path / 'index', inferencer)
    with pytest.raises(ConfigError, match='by its name'):
        made.add(clips, engine=ENGINE)
    assert len(index) == 0


@needs_ray
@pytest.mark.slow
def test_tagging_is_that_of_one_process(wanted, cluster, tmp_path, capsys):
    from ovmlv.cli import main

    index, _ = wanted
    local = list(index.tag(LABELS, timeline=True))
    found = list(index.tag(LABELS, timeline=True, engine=ENGINE))
    assert [result.video for result in found] == [result.video for result in local]
    for one, other in zip(local, found, strict=True):
        assert abs(one.probabilities - other.probabilities).max() < 1e-6
        assert abs(one.window_probabilities - other.window_probabilities).max() < 1e-6
    (tmp_path / 'words.txt').write_text('\n'.join(LABELS))
    tag = ['index', 'tag', '--labels', tmp_path / 'words.txt', '--index', index.folder]
    ray = ['--engine', 'ray', '--workers', 2, '--worker-cpus', 1, '--device', 'cpu']
    for ending in ('csv', 'parquet'):
        for name, more in (('one', ['--device', 'cpu']), ('ray', ray)):
            arguments = [*tag, *more, '--top-k', 2, '--output', tmp_path / f'{name}.{ending}']
            assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
    assert (tmp_path / 'one.csv').read_text().count('\n') == 2 * (COUNT - BAD) + 1
    texts = [(tmp_path / f'{name}.csv').read_text() for name in ('one', 'ray')]
    assert texts[0] == texts[1]
    import pyarrow.parquet

    tables = [pyarrow.parquet.read_table(tmp_path / f'{n}.parquet') for n in ('one', 'ray')]
    assert tables[0].equals(tables[1])


@needs_ray
@pytest.mark.slow
def test_a_cluster_of_ones_own(videos, tmp_path):
    """By its address, as one of several machines; it goes on when the command has ended."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    place = tempfile.mkdtemp(prefix='ovmlv-own-', dir='/tmp')
    start = [sys.executable, '-m', 'ray.scripts.scripts', 'start', '--head', '--block']
    start += ['--port', str(port), '--num-cpus', '2', '--include-dashboard', 'false']
    start += ['--disable-usage-stats', '--temp-dir', place, '--object-store-memory', '150000000']
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY), 'RAY_worker_niceness': '0'}
    with open(tmp_path / 'head.log', 'wb') as log:
        head = subprocess.Popen(start, stdout=log, stderr=log, env=environment)
    try:
        wait_for(lambda: is_open(port) or head.poll() is not None)
        add = ['add', videos, '--index', tmp_path / 'index', '--model', 'motionshapes']
        add += ['--window', 1, '--engine', 'ray', '--address', f'127.0.0.1:{port}']
        done = subprocess.run(command(*add), capture_output=True, text=True, env=environment)
        assert done.returncode == 0, (tmp_path / 'head.log').read_text() + done.stderr[-3000:]
        assert '5 videos encoded; 5 videos in all' in done.stdout
        assert head.poll() is None and is_open(port)
    finally:
        family = psutil.Process(head.pid).children(recursive=True) if head.poll() is None else []
        head.terminate()
        head.wait(60)
        _, alive = psutil.wait_procs(family, timeout=30)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(place, ignore_errors=True)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0
