"""Train a model: ``ovmlv train``, under the name that OpenMMLab's tools have.

    python tools/train.py CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--cfg-options k=v ...]

A flag such as --seed wins over --cfg-options, which wins over the config file.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli import train
from ovmlv.cli.app import command_parser
from ovmlv.utils.cli import parse_arguments
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parse_arguments(command_parser(train, __doc__), argv)


def main(args: argparse.Namespace) -> None:
    train.run(args)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
