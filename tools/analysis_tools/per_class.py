"""Make a table of all labels from dumped predictions.

    python tools/test.py CONFIG CHECKPOINT --dump trained.safetensors
    python tools/analysis_tools/per_class.py zero=zero.safetensors trained=trained.safetensors \\
        --sort change

With several NAME=FILE of the same test set, the table has the AP of each and the change from the
first to the last; the other figures are of the last.
"""

from __future__ import annotations

import argparse
import math
import sys

from ovmlv.cli.arguments import add_runs_arguments, read_runs
from ovmlv.errors import DataError
from ovmlv.evaluation.metrics.report import text_table
from ovmlv.evaluation.per_class import per_class_rows, sort_rows
from ovmlv.files import write_csv
from ovmlv.utils.cli import make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_runs_arguments(parser)
    parser.add_argument(
        '--sort',
        help='column to sort by, smallest first; default: the order of the labels in the file',
    )
    parser.add_argument('--descending', action='store_true', help='largest first')
    parser.add_argument(
        '--threshold', type=float, default=0.5, help='threshold of precision and recall'
    )
    parser.add_argument(
        '--min-positives',
        type=int,
        default=1,
        help='leave out labels with fewer positives (default: %(default)s)',
    )
    parser.add_argument('--num', type=int, help='print only this many labels; the file has all')
    parser.add_argument('--out', help='also write all rows to this .csv file')
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    rows = per_class_rows(read_runs(args), args.threshold)
    rows = [row for row in rows if row['positives'] >= args.min_positives]
    if not rows:
        raise DataError(f'no label has {args.min_positives} positives')
    if args.sort:
        rows = sort_rows(rows, args.sort, args.descending)
    print(text_table(list(rows[0]), [list(row.values()) for row in rows[: args.num]]))
    if args.out:
        write_csv(args.out, [{k: _shown(v) for k, v in row.items()} for row in rows])


def _shown(value: object) -> object:
    return '' if isinstance(value, float) and math.isnan(value) else value


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
