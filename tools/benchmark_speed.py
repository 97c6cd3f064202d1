#!/usr/bin/env python
"""Measure this project beside what people would use instead of it.

    python tools/benchmark_speed.py
    python tools/benchmark_speed.py --only reading video_encoder --rounds 5
    python tools/benchmark_speed.py --only start --beside ../before    # another checkout
    python tools/benchmark_speed.py --device cuda --dtype bfloat16 --frames 16 --batch 8

The ways to do a thing take turns in one process, each round in another order; a figure is the
median of the ratios within a round, with the smallest and the largest. Before that, their results
are compared. On a CPU, one thread is used and its CPU time counts.

Written to ``--out``: ``speed.json`` with all times, and ``speed.md``, a table.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import platform
import sys
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from speed.side_by_side import Measured, measure  # noqa: E402

from ovmlv.benchmarking.results import processor_name  # noqa: E402
from ovmlv.files import whole_file, write_json  # noqa: E402
from ovmlv.utils.cli import add_debug_argument, make_parser  # noqa: E402
from ovmlv.utils.error_door import run_tool  # noqa: E402

#: All but the last two are run where none is named.
PARTS = ('video_encoder', 'label_encoder', 'reading', 'inference', 'metrics', 'compiled', 'start')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=PARTS[:-2], metavar='PART')
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--clip', default='ViT-B-16', help='open_clip architecture, random weights')
    parser.add_argument(
        '--llm', default='smollm2',
        help='name of a CausalLLM, or JSON of a configuration; default: %(default)s',
    )  # fmt: skip
    parser.add_argument('--frames', type=int, default=8, help='of a video; default: %(default)s')
    parser.add_argument('--batch', type=int, default=1, help='videos; default: %(default)s')
    parser.add_argument('--labels', type=int, nargs='+', default=[64], help='default: 64')
    parser.add_argument(
        '--batches', type=int, nargs='+', default=[1, 16, 64], help='of inference; default: 1 16 64'
    )
    parser.add_argument(
        '--beside', type=Path, metavar='DIR', help='another checkout, for the part "start"'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', default='float32')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/speed'))
    add_debug_argument(parser)
    return parser.parse_args(argv)


def machine(args: argparse.Namespace) -> str:
    """What was measured on, in a line."""
    if args.device.startswith('cuda'):
        name = torch.cuda.get_device_name(args.device)
    else:
        name = f'{args.threads} thread of {processor_name()}'
    return f'{name}, {args.dtype}, Python {platform.python_version()}, torch {torch.__version__}'


def table(rows: list[Measured], where: str, command: str) -> str:
    """A Markdown page of all rows."""
    lines = [f'Measured on: {where}', '', f'    {command}', '']
    lines += ['Memory is what one run adds to what the process holds, at most.', '']
    for row in rows:
        lines += [f'### {row.name}', '', row.equality, '']
        lines += [f'| | median, {row.clock} time | ratio (smallest–largest) | goal | memory |']
        lines += ['| :-- | --: | --: | --: | --: |', *row.lines(), '']
    return '\n'.join(lines)


def main(args: argparse.Namespace) -> None:
    """Measure, and print each row as it is done."""
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    done: list[Measured] = []
    command = 'python tools/benchmark_speed.py ' + ' '.join(sys.argv[1:])
    for part in args.only:
        for row in importlib.import_module(f'speed.{part}').rows(args):
            done.append(measure(row, args.rounds, args.device, memory=True))
            print(f'\n{done[-1].name}\n{done[-1].equality}', flush=True)
            print('\n'.join(done[-1].lines()), flush=True)
            rows = [dataclasses.asdict(found) for found in done]
            where = machine(args)
            write_json(args.out / 'speed.json', dict(machine=where, command=command, rows=rows))
            with whole_file(args.out / 'speed.md') as scratch:
                Path(scratch).write_text(table(done, where, command), encoding='utf-8')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
