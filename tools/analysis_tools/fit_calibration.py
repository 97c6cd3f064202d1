"""Fit temperature, bias and thresholds on predictions: ``ovmlv calibrate`` from a checkout.

    python tools/test.py CONFIG CHECKPOINT --dump val.safetensors    # of a validation set
    python tools/analysis_tools/fit_calibration.py val.safetensors --out calibration.json \\
        --test test.safetensors
    python tools/analysis_tools/fit_calibration.py --use calibration.json --test test.safetensors
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.cli import calibrate
from ovmlv.cli.app import command_parser
from ovmlv.utils.cli import parse_arguments
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parse_arguments(command_parser(calibrate, __doc__), argv)


def main(args: argparse.Namespace) -> None:
    calibrate.run(args, sys.stdout)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
