"""Test a model: ``ovmlv test``, under the name that OpenMMLab's tools have.

    python tools/test.py CONFIG [CHECKPOINT] [--out METRICS.json] [--dump PREDICTIONS.safetensors]

Without a checkpoint, the model is tested as the config initialises it: with pretrained parts that
is its zero-shot result. A checkpoint of another model is refused. A flag such as --work-dir wins
over --cfg-options, which wins over the config file.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli import test
from ovmlv.cli.app import command_parser
from ovmlv.utils.cli import parse_arguments
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parse_arguments(command_parser(test, __doc__), argv)


def main(args: argparse.Namespace) -> None:
    test.measure(args)  # the log has the metrics


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
