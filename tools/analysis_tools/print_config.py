"""Print a config with everything it inherits, or check it without building anything.

    python tools/analysis_tools/print_config.py CONFIG [--cfg-options model.loss.video_distill=1]
    python tools/analysis_tools/print_config.py CONFIG [CONFIG ...] --check

``--check`` looks up every ``type`` in its registry and holds the keywords beside it against the
signature. It lists all mistakes with the nearest names and exits with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.files import whole_file
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, make_parser
from ovmlv.utils.config_check import check_config
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
    status = 0
    for path in args.config:
        cfg = load_config(path, args.cfg_options)
        if not args.check:
            print(cfg.pretty_text)
            if args.save:
                with whole_file(args.save) as scratch:
                    cfg.dump(scratch)
            continue
        mistakes = check_config(cfg)
        for mistake in mistakes:
            print(f'{path}: {mistake}')
        if mistakes:
            status = 1
            print(f'{path}: {len(mistakes)} mistake{"s" * (len(mistakes) > 1)}')
        else:
            print(f'{path}: every type and keyword is known')
    return status


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
