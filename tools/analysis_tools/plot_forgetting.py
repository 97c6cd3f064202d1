"""Draw seen, unseen and novel mAP over the epochs: what was learnt, and what was forgotten.

    python tools/train.py CONFIG --work-dir DIR --cfg-options train_cfg.val_interval=1
    python tools/analysis_tools/plot_forgetting.py full=DIR naive=DIR2 --out forgetting.png \\
        [--start zero_shot.json]

The tool reads what mmengine's LocalVisBackend wrote. --start is a file of "ovmlv test --out" with
the metrics before training, which are drawn at epoch 0 and as a level.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.files import read_json
from ovmlv.utils.cli import add_debug_argument, make_parser, named_paths
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='NAME=DIR', help='name of a line and its work folder'
    )
    parser.add_argument('--out', required=True, help='picture to write')
    parser.add_argument('--start', help='.json file of the metrics before training')
    parser.add_argument(
        '--metrics',
        nargs='+',
        default=['mAP_seen', 'mAP_unseen', 'mAP_novel'],
        help='metrics; each has a panel',
    )
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.visualization.forgetting import PREFIX, draw_forgetting, read_history

    runs = {name: read_history(path) for name, path in named_paths(args.runs).items()}
    start = None
    if args.start:
        table = read_json(args.start)
        start = {key.removeprefix(PREFIX): value for key, value in table.items()}
    print(draw_forgetting(runs, args.out, args.metrics, start))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
