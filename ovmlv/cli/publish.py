"""Write a model as one folder that every entry point opens.

    ovmlv publish --model CONFIG --weights CHECKPOINT --out my_model
    ovmlv publish --model CONFIG --weights CHECKPOINT --out my_model --labels-file words.txt \\
        --calibration calibration.json --include-pretrained
    ovmlv tag videos/ --model my_model

The folder holds the config without paths of data, the trained weights, and the label bank and the
calibration that you give. Without --include-pretrained, the frozen CLIP and the language model are
found by their names where the folder is opened. The folder is compared with the model, and refused
if they differ.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ovmlv.utils.terminal import Terminal

from .arguments import (
    add_label_arguments,
    add_model_arguments,
    load_model_of,
    read_label_arguments,
    refuse_bytes,
)
from .targets import refuse_unwritable

if TYPE_CHECKING:
    from ovmlv.models.contracts import Recognizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv publish``."""
    add_model_arguments(parser)
    add_publish_arguments(parser)


def add_publish_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is published with a model."""
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    add_label_arguments(parser, required=False)
    parser.add_argument('--calibration', metavar='FILE', help='file that "ovmlv calibrate" wrote')
    parser.add_argument(
        '--include-pretrained',
        action='store_true',
        help='also write the weights of CLIP and the language model',
    )
    parser.add_argument('--name', help='name in the model card (default: name of the folder)')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Publish."""
    refuse_unwritable(args.out, '--out', folder=True)
    refuse_bytes([args.name or ''], 'name')
    labels = read_label_arguments(args)  # before the model is built
    publish(args, load_model_of(args).recognizer, labels, out)


def publish(
    args: argparse.Namespace,
    model: Recognizer,
    labels: tuple[str, ...] | Path | None,
    out: Terminal,
) -> None:
    """Publish a model as the arguments of :func:`add_publish_arguments` say."""
    from ovmlv.apis import publish_model
    from ovmlv.apis.label_source import read_labels

    with contextlib.redirect_stdout(sys.stderr):  # logs; the result alone goes to stdout
        found = None if labels is None else read_labels(labels, model)
        publish_model(
            model,
            args.out,
            found,
            args.calibration,
            include_pretrained=args.include_pretrained,
            name=args.name,
        )
    more = f', {len(found)} labels' if found is not None else ''
    out.write(f'{args.out}: model{more}{", calibration" if args.calibration else ""}\n')
