"""Find the videos of which labels are most probable.

    ovmlv index find "a dog jumping" --top 20
    ovmlv index find "a dog" "a cat" --per window           # the best of each
    ovmlv index find "a dog AND (grass OR snow)" --not indoors --threshold 0.5
    ovmlv index find "a dog" --after 60 --within videos/2024 --save-thumbnails pictures
    ovmlv index find "a dog" --top 10000 --output hits.parquet

AND takes the smaller probability of two, OR the larger, NOT the rest to one. Labels that have these
words or parentheses in them stand in double quotes: '"AND gate" OR diode'.
"""

from __future__ import annotations

import argparse
import os

from ovmlv.errors import ConfigError
from ovmlv.utils.terminal import Terminal

from ..arguments import positive, probability, refuse_bytes
from ..parquet_output import (
    add_rows_arguments,
    check_rows_arguments,
    output_rows,
    rows_stream,
)
from .common import add_asking_arguments, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index find``."""
    parser.add_argument(
        'queries', nargs='+', metavar='QUERY', help='a label, or labels with AND, OR'
    )
    add_asking_arguments(parser)
    group = parser.add_argument_group('what is found')
    group.add_argument('--top', type=positive, default=20, help='hits of each query (default: 20)')
    group.add_argument('--not', dest='negative', nargs='+', metavar='LABEL', default=[],
                       help='labels that must not be there')  # fmt: skip
    least = group.add_mutually_exclusive_group()
    least.add_argument(
        '--threshold', type=probability, metavar='P', help='least calibrated probability'
    )
    least.add_argument(
        '--present',
        action='store_true',
        help='labels must reach their threshold of the calibration (0.5 without one)',
    )
    group.add_argument(
        '--per', choices=('video', 'window'), default='video', help='each video once (default)'
    )
    group.add_argument('--after', type=float, metavar='S', help='windows that end after second S')
    group.add_argument('--before', type=float, metavar='S', help='windows that begin before it')
    group.add_argument('--within', metavar='PATH', help='a folder, or a pattern of paths')
    group.add_argument(
        '--approximate', action='store_true', help='by the approximate index; see optimize'
    )
    add_rows_arguments(parser)
    group.add_argument('--save-thumbnails', metavar='DIR', help='write the pictures of the hits')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Find."""
    from ovmlv.index.find_result import COLUMNS
    from ovmlv.index.query import read_query

    style = check_rows_arguments(args)
    refuse_bytes(args.queries, 'query')
    refuse_bytes(args.negative, 'label')
    queries = [read_query(query, args.negative) for query in args.queries]
    found = open_index(args).find_each(
        queries,
        args.top,
        threshold='calibrated' if args.present else args.threshold,
        per=args.per,
        after=args.after,
        before=args.before,
        within=args.within,
        approximate=args.approximate,
    )
    if style == 'jsonl':
        with rows_stream(args, out) as stream:
            for result in found:
                stream.write_json(result.to_json())
    else:
        rows = (row for result in found for row in result.rows())
        output_rows(args, out, COLUMNS, rows, rounded=['probability'])
    if args.save_thumbnails is not None:
        _save(found, args.save_thumbnails)


def _save(found: list, folder: str) -> None:
    """Pictures named by query, rank and video."""
    from ovmlv.files import whole_file

    if os.path.isfile(folder):
        raise ConfigError(f'--save-thumbnails {folder} is a file; give a folder')
    for number, result in enumerate(found, 1):
        for rank, (hit, jpeg) in enumerate(zip(result, result.thumbnails()), 1):
            if jpeg is not None:
                stem = os.path.splitext(os.path.basename(hit.video))[0][:100]
                name = os.path.join(folder, f'{number}-{rank:03}-{stem}.jpg')
                with whole_file(name) as scratch:
                    scratch.write_bytes(jpeg)
