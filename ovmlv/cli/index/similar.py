"""Find the videos nearest to one of an index, by their mean embeddings.

    ovmlv index similar videos/a.mp4 --top 10

A similarity is a cosine, 1 for the same; files of the same content are marked.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..arguments import positive
from ..parquet_output import add_rows_arguments, check_rows_arguments, output_rows
from .common import add_index_argument, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index similar``."""
    parser.add_argument('video', metavar='VIDEO', help='a video of the index')
    add_index_argument(parser)
    parser.add_argument('--top', type=positive, default=20, help='videos (default: %(default)s)')
    add_rows_arguments(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Write."""
    check_rows_arguments(args)
    found = open_index(args).similar(args.video, args.top)
    rows = [(near.video, near.similarity, near.same_file) for near in found]
    columns = dict(video='string', similarity='float64', same_file='bool')
    output_rows(args, out, columns, rows, rounded=['similarity'])
