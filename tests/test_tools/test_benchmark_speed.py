"""The measuring itself on a clock that is known, and all rows once at small sizes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
import torch

from tests.conftest import REPOSITORY

TOOL = REPOSITORY / 'tools' / 'benchmark_speed.py'


@pytest.fixture
def side_by_side(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    return importlib.import_module('speed.side_by_side')


@pytest.fixture
def tick(monkeypatch, side_by_side):
    """A function that lets the processor work for some seconds."""
    now = [0.0]
    monkeypatch.setattr(side_by_side.time, 'process_time', lambda: now[0])

    def work(seconds):
        now[0] += seconds

    return work


def test_ratios_are_within_a_round(side_by_side, tick):
    """The machine becomes slower from round to round; the ratios do not see it."""
    called = []

    def side(name, seconds, goal=None):
        def run():
            tick(seconds * (1 + len(called) // 3))
            called.append(name)
            return name

        return side_by_side.Side(name, run, goal)

    sides = [side('theirs', 2.0), side('ours', 1.0, 0.5), side('slow', 3.0, 1.4)]
    row = side_by_side.Row('a row', sides, lambda found: f'{sorted(found)}', (4, 'videos'))
    found = side_by_side.measure(row, rounds=3)
    assert called[:3] == ['theirs', 'ours', 'slow'], 'once to compare'
    assert called[3:] == [
        'theirs', 'ours', 'slow', 'ours', 'slow', 'theirs', 'slow', 'theirs', 'ours'
    ]  # fmt: skip
    assert found.equality == "['ours', 'slow', 'theirs']" and found.clock == 'CPU'
    assert found.ratios('ours') == pytest.approx([0.5] * 3)
    assert found.ratios('slow') == pytest.approx([1.5] * 3)
    assert (found.is_met('theirs'), found.is_met('ours'), found.is_met('slow')) == (
        None, True, False
    )  # fmt: skip
    assert found.lines() == [
        '| theirs | 6 s, 0.667 videos/s | 1 |  |  |',
        '| ours | 3 s, 1.33 videos/s | 0.50 (0.50–0.50) | 0.5: met |  |',
        '| slow | 9 s, 0.444 videos/s | 1.50 (1.50–1.50) | 1.4: missed |  |',
    ]


def test_memory_is_what_a_run_adds(side_by_side):
    kept = torch.ones(2**24)  # 64 MB that are there before

    def run():
        return (kept[: 2**23] + 1).sum()  # 32 MB for as long as it takes

    found = side_by_side.peak_memory(run)
    if found is None:
        pytest.skip('the system does not tell it')
    assert 28 * 2**20 < found < 48 * 2**20, found


def test_nothing_is_measured_of_ways_that_differ(side_by_side):
    def check(found):
        assert found['a'] == found['b'], 'they differ'
        return ''

    sides = [side_by_side.Side('a', lambda: 1), side_by_side.Side('b', lambda: 2)]
    with pytest.raises(AssertionError, match='they differ'):
        side_by_side.measure(side_by_side.Row('a row', sides, check), rounds=1)


def test_the_time_of_processes_is_theirs(side_by_side):
    """This process waits meanwhile, and works for itself between."""
    busy = 'import time\nwhile time.process_time() < 0.4: pass'

    def run():
        return subprocess.run([sys.executable, '-c', busy], check=True).returncode

    row = side_by_side.Row('a row', [side_by_side.Side('a', run)], str, processes=True)
    found = side_by_side.measure(row, rounds=2, memory=True)
    assert min(found.seconds['a']) >= 0.39 and found.clock == 'CPU' and not found.memory


@pytest.mark.slow
def test_start_beside_the_same_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))
    options = ['--only', 'start', '--rounds', '1', '--beside', str(REPOSITORY)]
    done = subprocess.run(
        [sys.executable, str(TOOL), *options, '--out', str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'speed.json').read_text())['rows']
    assert len(rows) == 6 and all('the same results' in row['equality'] for row in rows)


@pytest.mark.slow
def test_all_rows(tmp_path):
    options = ['--rounds', 1, '--clip', 'ViT-B-32', '--frames', 2, '--labels', 3, '--batches', 1]
    done = subprocess.run(
        [sys.executable, str(TOOL), *map(str, options), '--out', str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'speed.json').read_text())['rows']
    assert len(rows) == 11 and all(row['equality'] for row in rows)
    page = (tmp_path / 'speed.md').read_text(encoding='utf-8')
    assert all(f'### {row["name"]}' in page for row in rows)
