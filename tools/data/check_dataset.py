"""Look for what is wrong with the videos and annotations of a data set: ``ovmlv check-data``.

    python tools/data/check_dataset.py CONFIG --out work_dirs/check_mine
    python tools/data/check_dataset.py FOLDER --out work_dirs/check_folder

It writes report.json and report.txt, and ends with status 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli import check_data
from ovmlv.cli.app import command_parser
from ovmlv.utils.cli import parse_arguments
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parse_arguments(command_parser(check_data, __doc__), argv)


def main(args: argparse.Namespace) -> int:
    return 1 if check_data.run(args, sys.stdout) else 0


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
