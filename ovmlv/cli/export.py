"""Export the video encoder with embedded labels, for programs without torch.

    ovmlv export --model my_model --labels "red circle" spinning --out DIR
    ovmlv export --model CONFIG --weights CHECKPOINT --labels-file words.txt --out DIR
    ovmlv export --model my_model --labels-file more.txt --labels-only DIR/more

DIR then holds video_encoder.onnx, labels.json with labels.npz, and meta.json; ovmlv.runtime tags
with it (docs/deployment.md). With --labels-only, another label file for the same encoder is written
and nothing else. The export is compared with the model, and refused if they differ.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError
from ovmlv.utils.terminal import Terminal

from .arguments import add_label_arguments, add_model_arguments, load_model_of, read_label_arguments
from .targets import refuse_unwritable

if TYPE_CHECKING:
    from ovmlv.apis import LabelBank
    from ovmlv.evaluation.score_calibration import Calibration
    from ovmlv.models.contracts import Recognizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv export``."""
    add_model_arguments(parser)
    add_export_arguments(parser, labels_required=False)
    parser.add_argument(
        '--calibration',
        metavar='FILE',
        help='file that "ovmlv calibrate" wrote; default: that of the model',
    )


def add_export_arguments(parser: argparse.ArgumentParser, labels_required: bool = True) -> None:
    """Add the arguments that say what to export of a model, and how."""
    add_label_arguments(parser, labels_required)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', metavar='DIR', help='folder to write')
    target.add_argument('--labels-only', metavar='FILE', help='write only a label file FILE')
    parser.add_argument(
        '--input-type',
        choices=('uint8', 'float32'),
        default='uint8',
        help='pixels that the graph takes: uint8 from 0 to 255, or float32 from 0 to 1 '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--opset', type=int, default=18, help='ONNX operator set (default: %(default)s)'
    )
    parser.add_argument('--torch-export', action='store_true', help='also write video_encoder.pt2')
    parser.add_argument(
        '--no-check', action='store_true', help='do not compare with the model afterwards'
    )


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Export a model of any kind."""
    from ovmlv.apis.label_source import read_labels
    from ovmlv.evaluation.score_calibration import Calibration

    _refuse_other_content(args)
    labels: Any = read_label_arguments(args)  # before the model is built
    args.device = args.device or 'cpu'
    loaded = load_model_of(args)
    model, published = loaded.recognizer, loaded.published
    if labels is None and published is not None:
        labels = published.bank()
    if labels is None:
        raise ConfigError('no labels; give --labels, --labels-file or --bank')
    calibration = None if published is None else published.calibration()
    if args.calibration is not None:
        calibration = Calibration.load(args.calibration)
    write_export(args, model, read_labels(labels, model), out, calibration)


def _refuse_other_content(args: argparse.Namespace) -> None:
    """Refuse to replace what no export wrote, such as a list of labels of the same name."""
    from ovmlv.errors import OvmlvError
    from ovmlv.runtime import EncoderMeta, LabelSet
    from ovmlv.runtime.label_set import label_files
    from ovmlv.runtime.video_tagger import LABELS, META

    load: Callable[[Any], object]
    written: tuple[Path, ...]
    if args.labels_only:
        target, load = args.labels_only, LabelSet.load
        written = label_files(target)
        for path in written:
            refuse_unwritable(path, '--labels-only')
    else:
        refuse_unwritable(args.out, '--out', folder=True)
        target, load = Path(args.out, META), EncoderMeta.load
        written = (target, *label_files(Path(args.out, LABELS)))
    there = [path for path in written if path.exists()]
    if not there:
        return
    try:
        load(target)
    except (OvmlvError, OSError) as error:
        raise ConfigError(
            f'{there[0]} is of no earlier export ({error}) and is not replaced; name another place'
        ) from None


def write_export(
    args: argparse.Namespace,
    model: Recognizer,
    labels: tuple[str, ...] | LabelBank,
    out: Terminal,
    calibration: Calibration | None = None,
) -> None:
    """Export as the arguments of :func:`add_export_arguments` say."""
    from ovmlv.export import export_model, make_label_set

    with contextlib.redirect_stdout(sys.stderr):  # logs; the result alone goes to stdout
        if args.labels_only:
            make_label_set(model, labels, calibration=calibration).save(args.labels_only)
        else:
            difference = export_model(
                model,
                labels,
                args.out,
                args.input_type,
                args.opset,
                args.torch_export,
                not args.no_check,
                calibration,
            )
    if args.labels_only:
        out.write(f'{args.labels_only}: {len(labels)} labels\n')
    else:
        checked = '' if difference is None else f'; differs from the model by {difference:.1e}'
        out.write(f'{Path(args.out)}: video encoder and {len(labels)} labels{checked}\n')
