"""Markdown and CSV of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from ovmlv import files

from .columns import ALL, Column, show_percent
from .report import Report, RowReport
from .statistics import Summary

_NAMES = {
    'mAP': 'joint mAP',
    'mAP_harmonic': 'harmonic mean',
    'mAP_harmonic3': 'harmonic mean of 3',
}


def metric_name(metric: str) -> str:
    """Name of a metric for people: ``mAP_seen_action`` -> ``seen action mAP``."""
    if metric in _NAMES or not metric.startswith('mAP_'):
        return _NAMES.get(metric, metric)
    return f'{metric.removeprefix("mAP_").replace("_", " ")} mAP'


def markdown(report: Report, command: str = '') -> str:
    """The tables of a report, with notes on how to read them.

    Args:
        report: The report.
        command: The command that made it.
    """
    overall = [c for c in report.columns if c.group == ALL]
    kinds = [c for c in report.columns if c.group != ALL]
    parts = [f'# Benchmark {report.suite.name}', _preamble(report, command)]
    parts.append('## All labels\n\n' + _metric_table(report, overall, with_cost=True))
    if kinds:
        parts.append('## By group of labels\n\n' + _metric_table(report, kinds, with_cost=False))
    if any(row.tests for row in report.rows):
        parts.append(_significance(report))
    parts.append(_conditions(report))
    return '\n\n'.join(parts) + '\n'


def _preamble(report: Report, command: str) -> str:
    lines = [
        'mAP, F1 and ECE in percent, mean ± standard deviation (n - 1) over seeds; of one seed no '
        'deviation. "harm." is the harmonic mean of seen and unseen labels, "harm. 3" of seen, '
        'unseen and novel ones, "joint" the mean over all labels. The best mean of a column is '
        'bold.'
    ]
    if report.suite.cost_row:
        title = report.suite.row(report.suite.cost_row).title
        lines.append(
            'Time a step (median, without loading of data'
            + (', each row alone, one after the other' if report.costs_alone else '')
            + '), time of all steps, and peak memory (resident, of the training process) are '
            + f'relative to "{title}", measured in the same benchmark.'
        )
    if report.missing:
        lines.append(f'Without results yet: {", ".join(report.missing)}.')
    if command:
        lines.append(f'Made by `{command}`.')
    return '\n\n'.join(lines)


def _metric_table(report: Report, columns: Sequence[Column], with_cost: bool) -> str:
    heads = [c.name if c.group == ALL else f'{c.group}<br>{c.name}' for c in columns]
    if with_cost:
        heads += [
            'trainable<br>parameters', 'steps', 'time<br>a step', 'time<br>of all',
            'peak<br>memory', 'seeds',
        ]  # fmt: skip
    best = {c.key: _best(report, c) for c in columns}

    def cells(row: RowReport) -> list[str]:
        found = []
        for column in columns:
            summary = row.metrics.get(column.key)
            text = _figure(summary)
            bold = summary is not None and summary.mean == best[column.key]
            found.append(f'**{text}**' if bold and len(report.rows) > 1 else text)
        if with_cost:
            found += [
                _count(row.cost.get('trainable_parameters')),
                _steps(row.cost.get('steps')),
                _times(row.relative.get('step_seconds')),
                _times(row.relative.get('training')),
                _times(row.relative.get('peak_memory_mb')),
                str(len(row.seeds)),
            ]
        return found

    return _table(report, heads, cells)


def _table(
    report: Report, heads: Sequence[str], cells: Callable[[RowReport], Sequence[str]]
) -> str:
    lines = [f'| | {" | ".join(heads)} |', '| :-- |' + ' --: |' * len(heads)]
    group = ''
    for row in report.rows:
        if row.row.group != group:
            group = row.row.group
            lines.append(f'| *{_escape(group)}* |' + ' |' * len(heads))
        lines.append(f'| {_escape(row.row.title)} | {" | ".join(cells(row))} |')
    return '\n'.join(lines)


def _significance(report: Report) -> str:
    metrics = [m for m in report.suite.significance if any(m in r.tests for r in report.rows)]
    pairs = sorted({t.n for row in report.rows for t in row.tests.values()})
    floor = ', '.join(f'{2 / 2**n:.3g} with n = {n}' for n in pairs)
    title = report.suite.row(report.suite.reference).title

    def cells(row: RowReport) -> list[str]:
        found = []
        for metric in metrics:
            test = row.tests.get(metric)
            if test is None:
                found.append('-')
                continue
            ps = f'p_t {_p(test.p_t)}, p_s {_p(test.p_sign_flip)}' if test.n > 1 else 'n = 1'
            found.append(f'{100 * test.difference:+.1f} ({ps})')
        return [*found, ', '.join(sorted({str(t.n) for t in row.tests.values()})) or '-']

    text = (
        f'## Differences from "{title}"\n\n'
        'In points, paired over seeds, n pairs. p_t: two-sided paired t test, which takes the '
        'differences for normal. p_s: exact two-sided sign-flip test, which does not, and cannot '
        f'be below {floor}. Not corrected for the number of comparisons.'
    )
    table = _table(report, [*map(metric_name, metrics), 'n'], cells)
    return f'{text}\n\n{table}'


def _conditions(report: Report) -> str:
    lines = ['## Conditions', '']
    for key, what in (('machine', 'Machine'), ('versions', 'Versions')):
        rows_of: dict[str, list[str]] = {}
        for row, seeds in report.results.items():
            texts = (', '.join(f'{k} {v}' for k, v in r[key].items()) for r in seeds.values())
            for text in dict.fromkeys(texts):  # unlike a set, always in the same order
                rows_of.setdefault(text, []).append(row)
        usual = max(rows_of.values(), key=len)
        for text, rows in rows_of.items():
            where = '' if rows is usual else f' of {", ".join(rows)}'
            lines.append(f'* {what}{where}: {text}')
    results = [r for seeds in report.results.values() for r in seeds.values()]
    budgets = sorted({r['budget_seconds'] for r in results if r.get('budget_seconds')})
    lines.append(
        f'* Budget of training: {", ".join(f"{b:g} s" for b in budgets)}'
        if budgets
        else '* Budget of training: epochs or iterations of the suite; see the steps above'
    )
    numbers = sorted({seed for row in report.rows for seed in row.seeds})
    lines.append(f'* Seeds: {", ".join(map(str, numbers))}')
    return '\n'.join(lines)


def _best(report: Report, column: Column) -> float:
    means = [r.metrics[column.key].mean for r in report.rows if column.key in r.metrics]
    means = [m for m in means if not math.isnan(m)]
    if len(set(means)) < 2:
        return math.nan
    return max(means, key=lambda m: column.better * m)


def _figure(summary: Summary | None) -> str:
    if summary is None or not summary.n:
        return '-'
    spread = '' if math.isnan(summary.std) else f' ± {100 * summary.std:.1f}'
    return show_percent(summary.mean) + spread


def _count(summary: Summary | None) -> str:
    if summary is None:
        return '-'
    value = summary.mean
    for size, unit in ((1e9, 'B'), (1e6, 'M'), (1e3, 'k')):
        if value >= size:
            return f'{value / size:.3g} {unit}'
    return f'{value:.0f}'


def _steps(summary: Summary | None) -> str:
    return '-' if summary is None else f'{summary.mean:.0f}'


def _times(value: float | None) -> str:
    return '-' if value is None or math.isnan(value) else f'{value:.2f} x'


def _p(value: float) -> str:
    return '-' if math.isnan(value) else '<.001' if value < 0.001 else f'{value:.3f}'


def _escape(text: str) -> str:
    return text.replace('|', '\\|')


def write_csv(report: Report, path: str | Path) -> None:
    """Write a line for each row: mean, standard deviation and n of metrics, costs, and tests."""
    names = list(dict.fromkeys(name for row in report.rows for name in row.metrics))
    costs = list(dict.fromkeys(name for row in report.rows for name in row.cost))
    lines = []
    for row in report.rows:
        line: dict[str, object] = dict(
            row=row.row.name, title=row.row.title, group=row.row.group, seeds=len(row.seeds)
        )
        for name, table in [*((n, row.metrics) for n in names), *((n, row.cost) for n in costs)]:
            summary = table.get(name, Summary(math.nan, math.nan, 0))
            line.update({name: summary.mean, f'{name}_std': summary.std, f'{name}_n': summary.n})
        for name in [*costs, 'training']:
            line[f'{name}_relative'] = row.relative.get(name, math.nan)
        for metric in report.suite.significance:
            test = row.tests.get(metric)
            for key in ('n', 'difference', 't', 'p_t', 'p_sign_flip'):
                line[f'{metric}_vs_reference_{key}'] = getattr(test, key, math.nan)
        lines.append(line)
    shown = [
        {k: '' if isinstance(v, float) and math.isnan(v) else v for k, v in line.items()}
        for line in lines
    ]
    files.write_csv(path, shown, ['row'])
