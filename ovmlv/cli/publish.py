"""Write a model as one folder that every entry point opens.

    ovmlv publish --model CONFIG --weights CHECKPOINT --out my_model
    ovmlv publish --model CONFIG --weights CHECKPOINT --out my_model --labels-file words.txt \\
        --calibration calibration.json --include-pretrained
    ovmlv publish --model CONFIG --weights CHECKPOINT --push owner/name
    ovmlv tag videos/ --model my_model
    ovmlv tag videos/ --model owner/name

The folder holds the config without paths of data, the trained weights, and the label bank and the
calibration that you give. Without --include-pretrained, the frozen CLIP and the language model are
found by their names where the folder is opened. The folder is compared with the model, and refused
if they differ. --push sends it to Hugging Face's hub, as "hf auth login" or HF_TOKEN allows, and
prints its name with the commit, which always is the same model.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError
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
    parser.add_argument('--out', metavar='DIR', help='folder to write; needed without --push')
    parser.add_argument(
        '--push',
        metavar='OWNER/NAME',
        help="send the model to this repository of Hugging Face's hub (@branch for a branch)",
    )
    parser.add_argument(
        '--private', action='store_true', help='make the repository private, if --push makes it'
    )
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
    check_publish_arguments(args)
    labels = read_label_arguments(args)  # before the model is built
    publish(args, load_model_of(args).recognizer, labels, out)


def check_publish_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments of :func:`add_publish_arguments` that cannot work, before a model is built.

    Raises:
        ConfigError: There is no place to publish to, or it cannot be one.
    """
    from ovmlv.hub_files import Repository

    if args.out is None and args.push is None:
        raise ConfigError('there is no place to publish to; give --out, --push or both')
    if args.private and args.push is None:
        raise ConfigError('--private is for a repository; give --push owner/name')
    if args.push is not None:
        Repository.parse(args.push)
    if args.out is not None:
        refuse_unwritable(args.out, '--out', folder=True)
    refuse_bytes([args.name or ''], 'name')


def publish(
    args: argparse.Namespace,
    model: Recognizer,
    labels: tuple[str, ...] | Path | None,
    out: Terminal,
) -> None:
    """Publish a model as the arguments of :func:`add_publish_arguments` say."""
    from ovmlv.apis import publish_model, push_model
    from ovmlv.apis.label_source import read_labels

    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))  # logs; the result goes to out
        folder = args.out or stack.enter_context(tempfile.TemporaryDirectory())
        found = None if labels is None else read_labels(labels, model)
        name = args.name or (args.push.partition('/')[2] if args.push and not args.out else None)
        publish_model(
            model,
            Path(folder) if args.out else Path(folder) / 'model',
            found,
            args.calibration,
            include_pretrained=args.include_pretrained,
            name=name,
            repository=args.push,
        )
        pushed = None
        if args.push:
            folder = args.out or Path(folder) / 'model'
            pushed = push_model(folder, args.push, private=args.private)
    more = f', {len(found)} labels' if found is not None else ''
    where = ', '.join(str(place) for place in (args.out, pushed) if place)
    out.write(f'{where}: model{more}{", calibration" if args.calibration else ""}\n')
