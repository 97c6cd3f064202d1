"""What the commands of an index share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_model_arguments, refuse_bytes

if TYPE_CHECKING:
    from ovmlv.index import VideoIndex

VARIABLE, FOLDER = 'OVMLV_INDEX', 'ovmlv_index'


def add_index_argument(parser: argparse.ArgumentParser) -> None:
    """``--index``."""
    parser.add_argument(
        '--index',
        metavar='DIR',
        help=f'folder of the index (default: ${VARIABLE}, or {FOLDER} in the current folder)',
    )


def add_asking_arguments(parser: argparse.ArgumentParser) -> None:
    """``--index``, ``--calibration`` and those of the model, which may be left out."""
    add_index_argument(parser)
    add_model_arguments(parser, required=False)
    parser.add_argument('--calibration', metavar='FILE', help='file that "ovmlv calibrate" wrote')


def add_label_choice(parser: argparse.ArgumentParser) -> None:
    """``--labels`` and ``--bank``; one of them, or none."""
    group = parser.add_argument_group('labels').add_mutually_exclusive_group()
    group.add_argument(
        '--labels',
        nargs='+',
        metavar='LABEL',
        help='one or more labels, or a text file with one label a line',
    )
    group.add_argument('--bank', metavar='DIR', help='a label bank that "ovmlv bank build" wrote')


def read_label_choice(args: argparse.Namespace) -> list[str] | Path | None:
    """The labels, or the file or bank that has them; None where no argument names any."""
    if args.bank is not None:
        return Path(args.bank)
    if args.labels is None:
        return None
    refuse_bytes(args.labels, 'label')
    if len(args.labels) == 1 and os.path.isfile(args.labels[0]):
        return Path(args.labels[0])
    return list(args.labels)


def index_folder(args: argparse.Namespace) -> str:
    """The folder that the arguments or the environment name."""
    return args.index or os.environ.get(VARIABLE) or FOLDER


def open_index(args: argparse.Namespace) -> VideoIndex:
    """The index, with the model that the arguments name, if they do."""
    from ovmlv.index import VideoIndex

    return VideoIndex.open(
        index_folder(args),
        getattr(args, 'model', None),
        getattr(args, 'weights', None),
        getattr(args, 'device', None),
        getattr(args, 'calibration', None),
        getattr(args, 'cfg_options', None),
    )
