"""Fit temperature, bias and thresholds on predictions, and report with and without them.

    python tools/test.py CONFIG CHECKPOINT --dump val.safetensors    # of a validation set
    ovmlv calibrate val.safetensors --out calibration.json --test test.safetensors
    ovmlv calibrate --use calibration.json --test test.safetensors
    ovmlv tag videos/ --model CONFIG --weights CHECKPOINT --calibration calibration.json --present

What is reported on the predictions it was fitted on is too good; --test names others.
"""

from __future__ import annotations

import argparse
import json
from typing import TextIO

from ovmlv.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv calibrate``."""
    parser.add_argument('predictions', nargs='?', help='.safetensors of tools/test.py --dump')
    parser.add_argument('--out', help='write the calibration to this .json file')
    parser.add_argument('--use', metavar='FILE', help='a calibration, instead of fitting one')
    parser.add_argument('--test', metavar='PREDICTIONS', help='report on these predictions')
    parser.add_argument('--report', metavar='FILE', help='write the report to this .json file')


def run(args: argparse.Namespace, out: TextIO) -> None:
    """Fit and report."""
    _check(args)
    from ovmlv.evaluation.label_scores import LabelScores
    from ovmlv.evaluation.metrics.report import text_table
    from ovmlv.evaluation.score_calibration import (
        Calibration,
        calibration_report,
        fit_calibration,
    )
    from ovmlv.utils.files import write_whole

    if args.use is not None:
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
    out.write(
        f'temperature {found.temperature:.4g}, bias {found.bias:.4g}, threshold '
        f'{found.threshold:.4g}, {len(found.thresholds)} labels with their own\n'
    )
    out.write(f'on {args.test or f"{args.predictions} (fitted on these)"}\n')
    rows = [[name, *(report[which][name] for which in report)] for name in report['with']]
    out.write(text_table(['', *report], rows) + '\n')
    if args.report is not None:
        write_whole(args.report, json.dumps(report, indent=2) + '\n')


def _check(args: argparse.Namespace) -> None:
    for name in ('out', 'report'):
        path = getattr(args, name)
        if path is not None and not path.endswith('.json'):
            raise ConfigError(f'--{name} {path}: it is a .json file; name one')
    if (args.predictions is None) == (args.use is None):
        raise ConfigError('give predictions to fit on, or --use a calibration; not both')
    if args.use is not None and args.test is None:
        raise ConfigError('--use: name predictions to report on by --test')
    if args.use is not None and args.out is not None:
        raise ConfigError('--out: nothing is fitted with --use; leave one of them out')
