"""Fit temperature, bias and thresholds on videos with known labels; report with and without them.

    ovmlv calibrate --model my_model --annotations val.jsonl --videos videos/ --out calibration.json
    ovmlv tag videos/ --model my_model --labels-file words.txt --calibration calibration.json

    ovmlv test CONFIG CHECKPOINT --dump val.safetensors
    ovmlv calibrate val.safetensors --out calibration.json --test test.safetensors
    ovmlv calibrate --use calibration.json --test test.safetensors

Annotations are those of MultilabelVideoDataset, such as lines {"video": "a.mp4", "labels": [...]}.
A report on the videos that the calibration was fitted on is too good; name others by --test.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError, DataError
from ovmlv.utils.terminal import Terminal

from .arguments import add_model_arguments, load_inferencer, positive
from .targets import refuse_inputs, refuse_unwritable

if TYPE_CHECKING:
    from ovmlv.apis import OVMLVInferencer
    from ovmlv.evaluation.label_scores import LabelScores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv calibrate``."""
    parser.add_argument(
        'predictions',
        nargs='?',
        help='.safetensors file that "ovmlv test --dump" wrote',
    )
    parser.add_argument('--out', help='write the calibration to this .json file')
    parser.add_argument('--use', metavar='FILE', help='use this calibration instead of fitting one')
    parser.add_argument(
        '--test',
        metavar='FILE',
        help='report on these predictions, or on these annotations if --model is given',
    )
    parser.add_argument('--report', metavar='FILE', help='write the report to this .json file')
    parser.add_argument(
        '--annotations', metavar='FILE', help='annotations of videos that --model tags'
    )
    parser.add_argument(
        '--videos', metavar='DIR', help='folder of these videos; default: that of FILE'
    )
    parser.add_argument(
        '--min-positives',
        type=positive,
        default=10,
        metavar='N',
        help='positives that a label needs for a threshold of its own (default: %(default)s)',
    )
    parser.add_argument(
        '--batch-size', type=positive, default=8, help='videos at a time (default: %(default)s)'
    )
    add_model_arguments(parser, required=False)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Fit and report."""
    _check(args)
    from ovmlv.evaluation.metrics.report import text_table
    from ovmlv.evaluation.score_calibration import (
        Calibration,
        calibration_report,
        fit_calibration,
    )
    from ovmlv.files import write_text

    read = _reader(args)
    source = args.annotations or args.predictions
    if args.use is not None:
        found = Calibration.load(args.use)
    else:
        data = read(source)
        about = dict(predictions=source, videos=len(data.scores))
        found = fit_calibration(data.scores, data.targets, data.classes, about, args.min_positives)
        if args.out is not None:
            found.save(args.out)
    if args.test is not None:
        data = read(args.test)
    report = calibration_report(data.scores, data.targets, data.classes, found)
    out.write(
        f'temperature {found.temperature:.4g}, bias {found.bias:.4g}, threshold '
        f'{found.threshold:.4g}, {len(found.thresholds)} labels with their own\n'
    )
    out.write(f'on {args.test or f"{source} (fitted on these)"}\n')
    rows = [[name, *(report[which][name] for which in report)] for name in report['with']]
    out.write(text_table(['', *report], rows) + '\n')
    if args.report is not None:
        write_text(args.report, json.dumps(report, indent=2) + '\n')


def _reader(args: argparse.Namespace) -> Callable[[str], LabelScores]:
    """A function that reads scores from a file of predictions or, with a model, of annotations."""
    from ovmlv.evaluation.label_scores import LabelScores

    if args.model is None:
        return LabelScores.load
    inferencer = load_inferencer(args)
    inferencer.calibration = None  # a published model may have one already
    return lambda path: _tag(inferencer, path, args.videos)


def _tag(inferencer: OVMLVInferencer, path: str, folder: str | None) -> LabelScores:
    """Scores of the labels of an annotation file, for the videos in it."""
    import torch
    from tqdm import tqdm

    from ovmlv.datasets import MultilabelVideoDataset
    from ovmlv.evaluation.label_scores import LabelScores

    folder = os.path.dirname(path) if folder is None else folder
    dataset = MultilabelVideoDataset(path, data_prefix=dict(video=folder), test_mode=True)
    rows = [dataset.get_data_info(i) for i in range(len(dataset))]
    if any(row.get('segment') is not None for row in rows):
        raise DataError(
            f'{path} has segments; calibrate on predictions, as written by "ovmlv test --dump"'
        )
    classes = dataset.metainfo['classes']
    scores, targets = [], []
    results = inferencer.iterate([row['filename'] for row in rows], classes, on_error='report')
    for row, result in zip(rows, tqdm(results, total=len(rows), unit='video', disable=None)):
        if result.error is None:
            scores.append(torch.from_numpy(result.probabilities))
            targets.append(torch.as_tensor(row['label']))
    if not scores:
        raise DataError(f'{path}: none of its {len(rows)} videos can be read; is --videos right?')
    if len(scores) < len(rows):
        print(f'{len(rows) - len(scores)} videos could not be read', file=sys.stderr)
    return LabelScores(torch.stack(scores), torch.stack(targets), list(classes), {})


def _check(args: argparse.Namespace) -> None:
    for name in ('out', 'report'):
        path = getattr(args, name)
        if path is not None and not path.endswith('.json'):
            raise ConfigError(f'--{name} {path}: it must be a .json file; name one')
        if path is not None:
            refuse_unwritable(path, f'--{name}')
            read = (args.predictions, args.annotations, args.use, args.test)
            refuse_inputs(path, f'--{name}', read)
    given = [v for v in (args.predictions, args.annotations, args.use) if v is not None]
    if len(given) != 1:
        raise ConfigError('give predictions or --annotations to fit on, or --use a calibration')
    if args.annotations is not None and args.model is None:
        raise ConfigError('--annotations: name the --model that shall tag the videos')
    if args.use is not None and args.test is None:
        raise ConfigError('--use: name predictions to report on by --test')
    if args.use is not None and args.out is not None:
        raise ConfigError('--out: nothing is fitted with --use; leave one of them out')
