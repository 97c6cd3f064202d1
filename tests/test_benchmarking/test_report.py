"""Tables of results that are made up, so that every figure in them is known."""

import csv
import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ovmlv.benchmarking import Row, Suite
from ovmlv.benchmarking.columns import find_columns
from ovmlv.benchmarking.figure import draw_profile, draw_report
from ovmlv.benchmarking.report import make_report
from ovmlv.benchmarking.results import read_result, write_json
from ovmlv.benchmarking.suite import Profile
from ovmlv.benchmarking.tables import markdown, write_csv
from ovmlv.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
ROWS = (
    Row('zero', 'c.py', 'zero-shot', 'not trained'),
    Row('ours', 'c.py', 'ours | a', 'trained'),
    Row('naive', 'c.py', group='trained'),
    Row('open', 'c.py', group='trained'),
)


def result(seed, seen, ece, step=None, parameters=0, steps=9):
    cost = dict(trainable_parameters=parameters, steps=0)
    if step:
        cost.update(steps=steps, step_seconds=step, peak_memory_mb=1000 * step)
    metrics = {'mAP': seen / 2, 'mAP_seen': seen, 'mAP_seen_entity': seen, 'ECE': ece}
    return dict(
        metrics=metrics, cost=cost, seed=seed, config_digest='x', machine=dict(processor='Z80'),
        versions=dict(torch='9'), budget_seconds=None,
    )  # fmt: skip


@pytest.fixture
def report():
    results = dict(
        zero={0: result(0, 0.3, 0.2)},
        ours={s: result(s, 0.5 + 0.1 * s, 0.1, 0.3, 1_234_567) for s in (0, 1, 2)},
        naive={s: result(s, 0.4 + 0.1 * s, 0.3, 0.2, 999, 1500) for s in (0, 1, 2)},
    )
    return make_report(Suite('demo', ROWS, 'ours', 'naive', (0, 1, 2)), results)


def cells(text, row):
    lines = [line for line in text.splitlines() if line.startswith(f'| {row} ')]
    return [[c.strip() for c in re.split(r'(?<!\\)\|', line)[2:-1]] for line in lines]


def test_markdown(report):
    text = markdown(report, 'python x.py')
    overall, kinds, tests = cells(text, r'ours \| a')
    #                seen               joint             ECE
    assert overall == [
        '**60.0 ± 10.0**', '**30.0 ± 5.0**', '**10.0 ± 0.0**',
        '1.23 M', '9', '1.50 x', '0.01 x', '1.50 x', '3',
    ]  # fmt: skip
    assert kinds == ['**60.0 ± 10.0**'] and set(tests) == {'-'}
    overall, _, tests = cells(text, 'naive')
    assert overall[:3] == ['50.0 ± 10.0', '25.0 ± 5.0', '30.0 ± 0.0']
    assert overall[3:8] == ['999', '1500', '1.00 x', '1.00 x', '1.00 x']
    assert tests[0] == '-10.0 (p_t <.001, p_s 0.250)' and tests[-1] == '3'
    overall, _, tests = cells(text, 'zero-shot')
    assert overall == ['30.0', '15.0', '20.0', '0', '0', '-', '-', '-', '1']
    assert tests[0].startswith('-30.0 ('), 'paired with every seed of the reference'
    for words in ('relative to "naive"', 'Without results yet: open', '`python x.py`', 'Z80',
                  '0.25 with n = 3', 'Seeds: 0, 1, 2', '| *trained* |'):  # fmt: skip
        assert words in text, words


def test_rows_of_an_unusual_machine_are_named(report):
    assert '* Machine: processor Z80\n' in markdown(report)
    report.results['naive'][1]['machine'] = dict(processor='6502')
    text = markdown(report)
    assert '* Machine: processor Z80\n* Machine of naive: processor 6502\n' in text
    assert '* Versions: torch 9\n' in text


def test_harmonic_mean_of_three_where_all_three_are(tmp_path):
    three = {'mAP_seen': 0.6, 'mAP_unseen': 0.3, 'mAP_novel': 0.2, 'mAP_seen_entity': 0.5}
    file = tmp_path / 'seed0.json'
    write_json(
        file, result(0, 0.6, 0.1) | dict(metrics={f'multilabel/{k}': v for k, v in three.items()})
    )
    read = read_result(file)['metrics']
    assert read == three | {'mAP_harmonic3': pytest.approx(3 / (1 / 0.6 + 1 / 0.3 + 1 / 0.2))}
    assert [c.name for c in find_columns([read]) if c.key == 'mAP_harmonic3'] == ['harm. 3']


def test_calibration_error_of_each_split_has_columns():
    columns = find_columns([dict(mAP=0.5, ECE=0.1, ECE_seen=0.1, ECE_novel=0.2, ECE_entity=0.3)])
    assert [(c.group, c.name, c.better) for c in columns if c.key.startswith('ECE_')] == [
        ('ECE', 'seen', -1), ('ECE', 'novel', -1),
    ]  # fmt: skip


def test_a_suite_chooses_its_columns():
    metrics = {f'mAP_{s}_{k}': 0.5 for s in ('seen', 'novel') for k in ('entity', 'human', 'new')}
    columns = find_columns([metrics], ['entity'], ['mAP_seen_human', 'mAP_novel_pair', 'mAP_seen'])
    assert [(c.group, c.name) for c in columns] == [
        ('entities', 'seen'), ('entities', 'novel'), ('human', 'seen'),
    ]  # fmt: skip
    both = find_columns([metrics])
    assert {c.group for c in both} == {'entities', 'human', 'new'}


def test_csv(report, tmp_path):
    write_csv(report, tmp_path / 'table.csv')
    with open(tmp_path / 'table.csv', newline='') as file:
        rows = {row['row']: row for row in csv.DictReader(file)}
    assert float(rows['ours']['mAP_seen']) == pytest.approx(0.6)
    assert float(rows['ours']['mAP_seen_std']) == pytest.approx(0.1)
    assert rows['zero']['mAP_seen_std'] == rows['zero']['step_seconds'] == ''
    assert float(rows['naive']['mAP_vs_reference_difference']) == pytest.approx(-0.05)
    assert float(rows['ours']['step_seconds_relative']) == pytest.approx(1.5)
    assert float(rows['ours']['training_relative']) == pytest.approx(1.5 * 9 / 1500)


@pytest.mark.slow
def test_committed_table_is_that_of_the_committed_results(tmp_path):
    """A clone without the data shows the same table; the times in it are those kept apart."""
    source = REPOSITORY / 'results' / 'motionshapes'
    shutil.copytree(source, tmp_path / 'motionshapes', ignore=shutil.ignore_patterns('*.log.jsonl'))
    (tmp_path / 'motionshapes' / 'table.md').unlink()
    command = [sys.executable, 'tools/benchmark.py', 'benchmarks/motionshapes.py', '--table-only']
    command += ['--keep-changed', '--results', str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    for name in ('table.md', 'table.csv'):
        expected, got = ((d / name).read_text() for d in (source, tmp_path / 'motionshapes'))
        kept = [line for line in expected.splitlines() if not line.startswith('Made by')]
        assert [line for line in got.splitlines() if not line.startswith('Made by')] == kept, name


def test_figure(report, tmp_path):
    text = draw_report(report, tmp_path / 'table.svg').read_text()
    assert 'seen mAP' in text and 'not trained' in text and 'novel mAP' not in text
    assert draw_report(report, tmp_path / 'none.png', ['F1']) is None


def test_profile_over_groups(report, tmp_path):
    profile = Profile('title', 'what', {'mAP_seen': 'often', 'mAP': 'all'}, ('ours', 'zero'))
    suite = dataclasses.replace(report.suite, profile=profile)
    text = draw_profile(dataclasses.replace(report, suite=suite), tmp_path / 'p.svg').read_text()
    assert all(word in text for word in ('title', 'what', 'often', 'ours', 'zero-shot'))
    assert draw_profile(report, tmp_path / 'none.png') is None
    with pytest.raises(ConfigError, match='profile is .nothing., which is no row'):
        dataclasses.replace(suite, profile=dataclasses.replace(profile, rows=('nothing',)))
