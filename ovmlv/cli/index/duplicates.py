"""Find videos of an index that are the same file, or nearly the same to the model.

    ovmlv index duplicates --least 0.995 --format csv

A similarity is a cosine, 1 for the same; files of the same content are marked.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..arguments import add_format_argument, probability
from ..result_formats import write_rows
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
    add_format_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Print."""
    pairs = open_index(args).duplicates(args.least)
    rows = [(p.video, p.earlier, round(p.similarity, 6), p.same_file) for p in pairs]
    write_rows(out, args.format, ('video', 'earlier', 'similarity', 'same_file'), rows)
