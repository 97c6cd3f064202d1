"""Fit temperature, bias and thresholds on predictions, and report with and without them.

    python tools/test.py CONFIG CHECKPOINT --dump val.safetensors    # of a validation set
    python tools/analysis_tools/fit_calibration.py val.safetensors --out calibration.json \\
        --test test.safetensors
    python tools/analysis_tools/fit_calibration.py --use calibration.json --test test.safetensors

Keep the file beside the checkpoint; ``tag_videos(..., calibration='calibration.json')`` applies it.
What is reported on the predictions it was fitted on is too good; --test names others.
"""

from __future__ import annotations

import argparse
import json
import sys

from ovmlv.errors import ConfigError
from ovmlv.evaluation.label_scores import LabelScores
from ovmlv.evaluation.metrics.report import text_table
from ovmlv.evaluation.score_calibration import Calibration, calibration_report, fit_calibration
from ovmlv.utils.cli import run_tool
from ovmlv.utils.files import write_whole


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('predictions', nargs='?', help='.safetensors of tools/test.py --dump')
    parser.add_argument('--out', help='write the calibration to this .json file')
    parser.add_argument('--use', metavar='FILE', help='a calibration, instead of fitting one')
    parser.add_argument('--test', metavar='PREDICTIONS', help='report on these predictions')
    parser.add_argument('--report', metavar='FILE', help='write the report to this .json file')
    parser.add_argument('--debug', action='store_true', help='show the traceback of errors')
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    for name in ('out', 'report'):
        path = getattr(args, name)
        if path is not None and not path.endswith('.json'):
            raise ConfigError(f'--{name} {path}: it is a .json file; name one')
    if (args.predictions is None) == (args.use is None):
        raise ConfigError('give predictions to fit on, or --use a calibration; not both')
    if args.use is not None:
        if args.test is None:
            raise ConfigError('--use: name predictions to report on by --test')
        if args.out is not None:
            raise ConfigError('--out: nothing is fitted with --use; leave one of them out')
        found = Calibration.load(args.use)
    else:
        data = LabelScores.load(args.predictions)
        about = dict(predictions=args.predictions, videos=len(data.scores))
        found = fit_calibration(data.scores, data.targets, data.classes, about)
        if args.out is not None:
            found.save(args.out)
    if args.test is not None:
        data = LabelScores.load(args.test)
    report = calibration_report(data.scores, data.targets, data.classes, found)
    print(
        f'temperature {found.temperature:.4g}, bias {found.bias:.4g}, threshold '
        f'{found.threshold:.4g}, {len(found.thresholds)} labels with their own'
    )
    print(f'on {args.test or f"{args.predictions} (fitted on these)"}')
    rows = [[name, *(report[which][name] for which in report)] for name in report['with']]
    print(text_table(['', *report], rows))
    if args.report is not None:
        write_whole(args.report, json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
