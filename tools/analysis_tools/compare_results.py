"""Compare the metrics of several tests in one table.

    python tools/analysis_tools/compare_results.py "zero-shot=a.json" "trained=b.json" \\
        [--kinds entity action] [--markdown results.md] [--require [--strict]]

The files are those of ``ovmlv test --out``. Figures are in percent; the harmonic mean is of seen
and unseen labels; "joint" is over all labels. ``--kinds`` names the kinds of labels that get
columns (default: all that the files have). ``--require`` says for every row after the first one
whether learning motion cost the open vocabulary anything: actions must have at least --action-gain
times the first row's mAP, unseen entities at least --keep times it, and the harmonic mean must be
better.

Exit status: 0; with --strict 1 if a requirement is not met; 2 if a file cannot be used.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ovmlv.benchmarking.columns import Column, find_columns, show_percent
from ovmlv.benchmarking.results import PREFIX
from ovmlv.errors import DataError
from ovmlv.files import read_json, write_text
from ovmlv.utils.cli import add_debug_argument, make_parser, named_paths
from ovmlv.utils.error_door import run_tool

Metrics = dict[str, float]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('results', nargs='+', metavar='NAME=FILE', help='a row and its .json file')
    parser.add_argument('--markdown', help='also write the table to this .md file')
    parser.add_argument('--kinds', nargs='+', default=(), help='kinds of labels in the table')
    parser.add_argument('--require', action='store_true', help='check against the first row')
    parser.add_argument('--strict', action='store_true', help='exit with 1 if a check fails')
    parser.add_argument('--action-gain', type=float, default=2.0, help='default: %(default)s')
    parser.add_argument('--keep', type=float, default=0.9, help='default: %(default)s')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    if args.require and len(args.results) < 2:
        parser.error('--require compares with the first row; give at least two NAME=FILE')
    return args


def read_results(arguments: Sequence[str]) -> dict[str, Metrics]:
    """Row name -> metrics without their prefix."""
    return {name: read_metrics(path) for name, path in named_paths(arguments).items()}


def read_metrics(path: str) -> Metrics:
    """The metrics of one file, without ``multilabel/``."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no {path}; write it by tools/test.py --out {path}')
    try:
        table = read_json(path)
        metrics = {
            key.removeprefix(PREFIX): float(value)
            for key, value in table.items()
            if isinstance(value, (int, float))
        }
    except (ValueError, AttributeError) as error:
        raise DataError(f'{path} holds no metrics ({error}); write it by tools/test.py') from None
    if 'mAP' not in metrics:
        raise DataError(f'{path} has no {PREFIX}mAP; test with a MultilabelMetric')
    return metrics


def text_table(results: dict[str, Metrics], columns: Sequence[Column]) -> str:
    """The table for a terminal: a line of groups, a line of names, a line for each row."""
    groups = list(dict.fromkeys(column.group for column in columns))
    names = ['mAP in %', *results]
    first = max(map(len, names))
    lines = [' ' * first, names[0].ljust(first), *(name.ljust(first) for name in results)]
    for group in groups:
        members = [column for column in columns if column.group == group]
        block = [''.join(f'{column.name:>7}' for column in members)]
        block += [
            ''.join(f'{show(metrics, column):>7}' for column in members)
            for metrics in results.values()
        ]
        width = max(len(block[0]), len(group) + 2)
        block = [f' {group} '.center(width - 1, '-').rjust(width), *(b.rjust(width) for b in block)]
        lines = [f'{line} |{part}' for line, part in zip(lines, block, strict=True)]
    lines.insert(2, re.sub('[^|]', '-', lines[1]).replace('|', '+'))
    return '\n'.join(lines)


def markdown_table(results: dict[str, Metrics], columns: Sequence[Column]) -> str:
    """The table for a README, the best figure of each column in bold."""
    lines = [
        '| mAP in % | ' + ' | '.join(f'{c.group}<br>{c.name}' for c in columns) + ' |',
        '| :-- |' + ' --: |' * len(columns),
    ]
    for name, metrics in results.items():
        cells = []
        for column in columns:
            values = [column.better * m.get(column.key, math.nan) for m in results.values()]
            known = [v for v in values if not math.isnan(v)]
            best = max(known) if len(set(known)) > 1 or len(known) == 1 else math.nan
            text = show(metrics, column)
            is_best = column.better * metrics.get(column.key, math.nan) == best
            cells.append(f'**{text}**' if is_best and len(results) > 1 else text)
        lines.append(f'| {name.replace("|", chr(92) + "|")} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def show(metrics: Metrics, column: Column) -> str:
    """A figure in percent, ``-`` where there is none."""
    return show_percent(metrics.get(column.key, math.nan))


def check(first: Metrics, other: Metrics, gain: float, keep: float) -> list[tuple[bool, str]]:
    """Whether each requirement is met, and a sentence that says so."""
    wanted = [
        ('mAP_action', gain, f'all actions at least {gain:g} times'),
        ('mAP_unseen_entity', keep, f'unseen entities at least {100 * keep:g} % of'),
        ('mAP_harmonic', 1.0, 'harmonic mean better than'),
    ]
    lines = []
    for key, factor, text in wanted:
        before, after = first.get(key, math.nan), other.get(key, math.nan)
        met = after > before if key == 'mAP_harmonic' else after >= factor * before
        ratio = f', {after / before:.2f} times' if before > 0 else ''
        lines.append((met, f'{text} the first row: {100 * before:.1f} -> {100 * after:.1f}{ratio}'))
    return lines


def main(args: argparse.Namespace) -> int:
    results = read_results(args.results)
    columns = find_columns(results.values(), args.kinds)
    print(text_table(results, columns))
    if args.markdown:
        write_text(args.markdown, markdown_table(results, columns))
    if not args.require:
        return 0
    (_, first), *others = results.items()
    all_met = True
    for name, metrics in others:
        print(f'\n{name}:')
        for met, text in check(first, metrics, args.action_gain, args.keep):
            all_met &= met
            print(f'  [{"met" if met else "NOT MET"}] {text}')
    return int(args.strict and not all_met)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
