"""Print a config with everything it inherits, or check it without building anything.

    python tools/analysis_tools/print_config.py CONFIG [--cfg-options model.loss.video_distill=1]
    python tools/analysis_tools/print_config.py CONFIG [CONFIG ...] --check

``--check`` looks up every ``type`` in its registry and holds the keywords beside it against the
signature. It lists all mistakes with the nearest names and exits with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.utils.cli import CfgOptions, load_config, run_tool
from ovmlv.utils.config_check import check_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='+', help='config file')
    parser.add_argument('--check', action='store_true', help='check instead of printing')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='key=value changes')
    parser.add_argument('--save', help='also write the printed config to this file')
    parser.add_argument('--debug', action='store_true', help='tracebacks of errors')
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    status = 0
    for path in args.config:
        cfg = load_config(path, args.cfg_options)
        if not args.check:
            print(cfg.pretty_text)
            if args.save:
                cfg.dump(args.save)
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
