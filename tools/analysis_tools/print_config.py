"""Print a config with everything it inherits, or check it without building anything.

    python tools/analysis_tools/print_config.py CONFIG [--cfg-options model.loss.video_distill=1]
    python tools/analysis_tools/print_config.py CONFIG [CONFIG ...] --check

``--check`` looks up every ``type`` in its registry and compares the keywords beside it with its
signature. It lists all mistakes with the nearest names and exits with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli.check_config import list_mistakes
from ovmlv.files import whole_file
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', nargs='+', help='config file')
    parser.add_argument('--check', action='store_true', help='check instead of printing')
    add_cfg_options(parser)
    parser.add_argument('--save', help='also write the printed config to this file')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    if args.check:  # as ``ovmlv check-config``
        right = [list_mistakes(path, args.cfg_options, sys.stdout) for path in args.config]
        return 0 if all(right) else 1
    for path in args.config:
        cfg = load_config(path, args.cfg_options)
        print(cfg.pretty_text)
        if args.save:
            with whole_file(args.save) as scratch:
                cfg.dump(scratch)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
