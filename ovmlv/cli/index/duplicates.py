"""Find videos of an index that are the same file, or nearly the same to the model.

    ovmlv index duplicates --least 0.995 --format csv

A similarity is a cosine, 1 for the same; files of the same content are marked.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..arguments import probability
from ..parquet_output import add_rows_arguments, check_rows_arguments, output_rows
from .common import add_index_argument, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index duplicates``."""
    add_index_argument(parser)
    parser.add_argument(
        '--least',
        type=probability,
        default=0.99,
        help='least cosine of the mean embeddings (default: %(default)s)',
    )
    add_rows_arguments(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Write."""
    check_rows_arguments(args)
    pairs = open_index(args).duplicates(args.least)
    rows = [(p.video, p.earlier, p.similarity, p.same_file) for p in pairs]
    columns = dict(video='string', earlier='string', similarity='float64', same_file='bool')
    output_rows(args, out, columns, rows, rounded=['similarity'])
