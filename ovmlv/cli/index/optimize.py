"""Join the small files of an index; make an approximate index for many windows.

    ovmlv index optimize
    ovmlv index optimize --approximate --labels words.txt --recall 0.98

The approximate index is looked at by "ovmlv index find --approximate". How many of the 100 best
windows it finds is measured with the labels, and told.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..arguments import probability
from .common import add_asking_arguments, add_label_choice, open_index, read_label_choice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index optimize``."""
    add_asking_arguments(parser)
    add_label_choice(parser)
    parser.add_argument('--approximate', action='store_true', help='make an approximate index')
    parser.add_argument(
        '--recall',
        type=probability,
        default=0.95,
        help='share of the 100 best windows that it shall find (default: %(default)s)',
    )


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Do it."""
    index = open_index(args)
    if args.approximate:
        recall = index.make_approximate(read_label_choice(args), args.recall)
        out.write(f'{index.folder}: the approximate index has a recall at 100 of {recall:.4f}\n')
    index.optimize()
    megabytes = index.status().bytes / 1e6
    out.write(f'{index.folder}: {len(index)} videos, {megabytes:.1f} megabytes\n')
