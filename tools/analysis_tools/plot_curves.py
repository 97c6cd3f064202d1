"""Draw precision-recall curves and reliability of dumped predictions.

    python tools/test.py CONFIG CHECKPOINT --dump trained.safetensors
    python tools/analysis_tools/plot_curves.py trained=trained.safetensors --out curves.png

Several NAME=FILE of the same test set are drawn into the same panels. Each split of the labels has
three panels, and so have all labels together: curves, reliability, and the number of pairs in each
bin.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli.arguments import add_runs_arguments, read_runs
from ovmlv.utils.cli import make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_runs_arguments(parser)
    parser.add_argument('--out', required=True, help='picture to write')
    parser.add_argument(
        '--axis',
        default='split',
        help='attribute of the labels that makes the groups (default: %(default)s)',
    )
    parser.add_argument(
        '--bins', type=int, default=15, help='bins of the reliability (default: %(default)s)'
    )
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.visualization.curves import draw_curves

    print(draw_curves(read_runs(args), args.out, args.axis, args.bins))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
