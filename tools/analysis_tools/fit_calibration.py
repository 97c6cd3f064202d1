"""Fit temperature, bias and thresholds on predictions: ``ovmlv calibrate`` from a checkout.

    python tools/test.py CONFIG CHECKPOINT --dump val.safetensors    # of a validation set
    python tools/analysis_tools/fit_calibration.py val.safetensors --out calibration.json \\
        --test test.safetensors
    python tools/analysis_tools/fit_calibration.py --use calibration.json --test test.safetensors
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli.calibrate import add_arguments, run
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_arguments(parser)
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    run(args, sys.stdout)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
