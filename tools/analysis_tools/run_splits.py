"""Test a model on each split of a protocol and report the mean.

    python tools/analysis_tools/run_splits.py CONFIG [CHECKPOINT] [--out METRICS.json]

The config names its splits in ``test_splits``: name -> overrides, as after --cfg-options. Each
split is a run of tools/test.py.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError
from ovmlv.files import read_json, write_json
from ovmlv.utils.cli import add_cfg_options, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool

TEST = Path(__file__).resolve().parents[1] / 'test.py'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='config file with test_splits')
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint file; without it, the model as initialised'
    )
    parser.add_argument('--work-dir', help='folder for logs and results (work_dirs/<config>)')
    parser.add_argument('--out', help='.json file for the table (splits.json in that folder)')
    add_cfg_options(parser)
    return parser.parse_intermixed_args(argv)


def summarize(results: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The results of the splits, and ``mean`` and ``std`` (of the splits, n - 1) of each metric."""
    keys = [k for k in next(iter(results.values())) if all(k in r for r in results.values())]
    values = {k: [float(r[k]) for r in results.values()] for k in keys}
    table = {name: {k: float(result[k]) for k in keys} for name, result in results.items()}
    table['mean'] = {k: statistics.fmean(v) for k, v in values.items()}
    table['std'] = {k: statistics.stdev(v) if len(v) > 1 else 0.0 for k, v in values.items()}
    return table


def format_table(table: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each split and metric columns, without counts."""
    keys = [k for k in table['mean'] if not k.split('/')[-1].startswith('num_')]
    rows = [['', *keys]]
    rows += [[name, *(f'{row[k]:.4f}' for k in keys)] for name, row in table.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
    )


def _options(overrides: Mapping[str, Any]) -> list[str]:
    return [f'{key}={value}' for key, value in overrides.items()]


def main(args: argparse.Namespace) -> None:
    splits = load_config(args.config).get('test_splits')
    if not splits:
        raise ConfigError(f'{args.config} has no test_splits; test it with tools/test.py')
    work = Path(args.work_dir or Path('work_dirs') / Path(args.config).stem)
    results = {}
    for name, overrides in splits.items():
        out = work / f'{name}.json'
        options = [*_options(overrides), *_options(args.cfg_options or {})]
        command = [sys.executable, str(TEST), args.config]
        command += [args.checkpoint] if args.checkpoint else []
        command += ['--work-dir', str(work), '--out', str(out), '--cfg-options', *options]
        status = subprocess.run(command).returncode
        if status:
            raise ConfigError(f'{name}: tools/test.py failed with status {status}, see above')
        results[name] = read_json(out)
    table = summarize(results)
    path = Path(args.out) if args.out else work / 'splits.json'
    write_json(path, table, indent=2)
    print(format_table(table))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
