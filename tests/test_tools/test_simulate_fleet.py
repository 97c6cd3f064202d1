"""The simulation of a fleet, against closed forms."""

from __future__ import annotations

import importlib.util
import json
import math
import sys

import numpy as np
import pytest

from ovmlv.errors import ConfigError
from ovmlv.utils.error_door import run_tool


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location(
        'simulate_fleet', repository / 'tools' / 'simulate_fleet.py'
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of types
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def equal(tool):
    """Videos of a minute, each of which takes two seconds."""
    return tool.ServiceTimes(np.array([60.0]), np.array([2.0]), 3e6)


@pytest.mark.parametrize('static', [False, True])
def test_without_failures(tool, equal, static):
    """Work divided by machines; bytes by hours."""
    fleet = tool.Fleet(12_000, 6, speed=4, part=100, static=static)
    found = tool.simulate(equal, fleet, 0)
    assert found.hours == pytest.approx(12_000 * 2 / 4 / 6 / 3600)
    assert found.machine_hours == pytest.approx(6 * found.hours)
    assert found.failures == found.lost_hours == found.down_hours == found.unreadable == 0
    assert found.video_hours == pytest.approx(200) and found.gigabytes == pytest.approx(0.6)
    # The last part is smaller, and more machines than parts do not help.
    odd = tool.simulate(equal, tool.Fleet(250, 10, part=100), 0)
    assert odd.hours == pytest.approx(200 / 3600)
    assert odd.machine_hours == pytest.approx(500 / 3600)


def test_draws_are_those_of_the_sample(tool):
    """Sums of k independent draws have k times the mean and the variance."""
    rng = np.random.default_rng(1)
    times = tool.ServiceTimes(rng.uniform(1, 9, 30), rng.exponential(2, 30), 0)
    sums = np.array([times.draw(rng, 200) for _ in range(4000)])
    for column, sample in zip(sums.T, (times.length, times.work), strict=True):
        error = math.sqrt(200 * sample.var() / 4000)
        assert abs(column.mean() - 200 * sample.mean()) < 4 * error
        assert column.var() == pytest.approx(200 * sample.var(), rel=0.12)
    assert times.scaled(60).length.mean() == pytest.approx(60)
    ratio = times.work.sum() / times.length.sum()
    assert times.scaled(60).work.mean() == pytest.approx(60 * ratio)


@pytest.mark.parametrize('static', [False, True])
def test_failures(tool, equal, static):
    """Failures are hours of work by their mean time; each takes its minutes, and half a commit."""
    fleet = tool.Fleet(
        40_000, 8, part=50, mtbf_hours=0.2, restart_minutes=3, commit_seconds=4, static=static
    )
    runs = [tool.simulate(equal, fleet, seed) for seed in range(20)]
    hours, failures = (sum(getattr(r, k) for r in runs) for k in ('machine_hours', 'failures'))
    assert abs(failures - hours / 0.2) < 4 * math.sqrt(failures)
    assert all(run.down_hours == pytest.approx(run.failures * 0.05) for run in runs)
    # The mean of an exponential time modulo C: 1 / rate - C / (exp(rate C) - 1), near C / 2.
    rate = 1 / (0.2 * 3600)
    lost = 1 / rate - 4 / math.expm1(rate * 4)
    total = sum(run.lost_hours for run in runs) * 3600
    assert total == pytest.approx(failures * lost, rel=0.05) and lost == pytest.approx(2, rel=0.01)
    useful = 40_000 * 2 / 3600
    for run in runs:
        assert run.machine_hours == pytest.approx(useful + run.lost_hours)
        assert run.hours >= (run.machine_hours + run.down_hours) / 8 * 0.99
        assert run.failures_a_day == pytest.approx(run.failures / run.hours * 24)


def test_parts_that_are_begun_anew(tool, equal):
    """Without commits, a part of d takes (m + R) (exp(d / m) - 1) on average (renewal theory)."""
    fleet = tool.Fleet(4000, 1, part=1, mtbf_hours=2 / 3600, restart_minutes=0.5 / 60,
                       commit_seconds=math.inf)  # fmt: skip
    found = np.array([tool.simulate(equal, fleet, seed).hours * 3600 for seed in range(5)]) / 4000
    expected = (2 + 0.5) * math.expm1(1)
    assert found.mean() == pytest.approx(expected, rel=0.03)


def test_stragglers(tool, equal):
    """A queue gives slow machines less; with fixed shares all wait for them."""
    settings = dict(videos=60_000, machines=10, part=20, stragglers=0.2, slowdown=3)
    even = 60_000 * 2 / 3600 / 10
    static = tool.simulate(equal, tool.Fleet(**settings, static=True), 0)
    assert static.hours == pytest.approx(3 * even)
    queue = tool.simulate(equal, tool.Fleet(**settings), 0)
    assert queue.hours == pytest.approx(even * 10 / (8 + 2 / 3), abs=20 * 2 * 3 / 3600)


def test_same_seed_same_run(tool):
    times = tool.ServiceTimes(np.array([3.0, 50.0]), np.array([1.0, 9.0]), 1e6)
    fleet = tool.Fleet(5000, 3, part=100, mtbf_hours=1, unreadable=0.01)
    assert tool.simulate(times, fleet, 4) == tool.simulate(times, fleet, 4)
    assert tool.simulate(times, fleet, 4) != tool.simulate(times, fleet, 5)
    counts = [tool.simulate(times, fleet, seed).unreadable for seed in range(40)]
    assert abs(np.mean(counts) - 50) < 4 * math.sqrt(50 / 40)


def test_work_that_would_never_end_is_refused(tool, equal):
    fleet = tool.Fleet(10_000, 1, part=10_000, mtbf_hours=0.1, commit_seconds=math.inf)
    with pytest.raises(ConfigError, match='smaller --part or --commit-seconds'):
        tool.simulate(equal, fleet, 0)


def test_command(tool, repository, tmp_path, capsys):
    """With what was measured; percentiles are in order."""
    out = tmp_path / 'fleet.json'
    command = [
        repository / 'tools' / 'service_times.json', '--videos', '1e5', '--machines', 4,
        '--mean-seconds', 60, '--mtbf-hours', 24, '--stragglers', 0.25, '--slowdown', 2,
        '--seeds', 6, '--output', out,
    ]  # fmt: skip
    assert run_tool(tool.main, tool.parse_args(list(map(str, command)))) == 0
    text = capsys.readouterr().out
    assert '100000 videos on 4 machines, 6 runs' in text and 'failures a day' in text
    found = json.loads(out.read_text())
    assert found['video_hours'][1] == pytest.approx(1e5 / 60, rel=0.02)
    for name in ('hours', 'failures', 'gigabytes'):
        assert found[name] == sorted(found[name]) and len(found[name]) == 3
    assert found['fleet']['machines'] == 4


@pytest.mark.parametrize(
    ('content', 'arguments', 'words'),
    [
        ('{', [], 'no valid JSON'),
        ('{}', [], 'videos is missing'),
        ('{"videos": [], "bytes_a_video_hour": 1}', [], 'holds no videos'),
        ('{"videos": [{"seconds": 1, "work": 0}], "bytes_a_video_hour": 1}', [], 'video 1'),
        (None, ['--machines', '0'], 'from 1 on'),
        (None, ['--stragglers', '2'], '--stragglers'),
        (None, ['--mtbf-hours', 'nan'], '--mtbf-hours'),
        (None, ['--mean-seconds', '-1'], '--mean-seconds'),
        (None, ['--slowdown', '0.5'], '--slowdown'),
    ],
)  # fmt: skip
def test_what_is_refused(tool, tmp_path, capsys, content, arguments, words):
    path = tmp_path / 'times.json'
    path.write_text(content or '{"videos": [{"seconds": 1, "work": 1}], "bytes_a_video_hour": 1}')
    command = [str(path), '--videos', '10', '--machines', '1', *arguments]
    try:
        status = run_tool(tool.main, tool.parse_args(command))
    except SystemExit as end:
        status = end.code
    assert status == 2 and words in capsys.readouterr().err
