"""Arguments that several subcommands share, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, add_device_argument, named_paths

from .result_formats import FORMATS

if TYPE_CHECKING:
    from ovmlv.apis import LabelBank, LoadedModel, OVMLVInferencer
    from ovmlv.evaluation.label_scores import LabelScores

MODEL_HELP = (
    'a config (.py), a folder that "ovmlv publish" wrote, owner/name of one on the hub, an '
    'open_clip architecture such as ViT-B-16 (with weights: ViT-B-16/openai), hf-hub:owner/name of '
    'a CLIP on the hub, a dual encoder of transformers such as '
    'transformers:google/siglip2-base-patch16-224, or motionshapes, the tiny CLIP shipped here'
)


def positive(text: str) -> int:
    """A number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value}: give at least 1')
    return value


def seconds(text: str) -> float:
    """A time above 0."""
    return above_zero(text, 'seconds')


def above_zero(text: str, what: str = 'a number') -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text}: give {what} above 0')
    return value


def zero_or_more(text: str) -> float:
    """A number from 0 on."""
    value = float(text)
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text}: give a number from 0 on')
    return value


def probability(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text}: give a number from 0 to 1')
    return value


def add_model_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """``--model``, ``--weights``, ``--device``, ``--cfg-options``."""
    group = parser.add_argument_group('model')
    group.add_argument('--model', required=required, help=MODEL_HELP)
    group.add_argument('--weights', help='a checkpoint of the config, or weights of a CLIP')
    add_device_argument(group)
    add_cfg_options(group, 'its config')


def add_label_arguments(
    parser: argparse.ArgumentParser, required: bool = True, bank: bool = True
) -> None:
    """``--labels``, ``--labels-file``, ``--bank``; one of them."""
    group = parser.add_argument_group('labels').add_mutually_exclusive_group(required=required)
    group.add_argument('--labels', nargs='+', metavar='LABEL', help='one or more labels')
    group.add_argument('--labels-file', metavar='FILE', help='text file with one label a line')
    if bank:
        group.add_argument(
            '--bank', metavar='DIR', help='a label bank that "ovmlv bank build" wrote'
        )


def load_model_of(args: argparse.Namespace) -> LoadedModel:
    """The model that the arguments name."""
    from ovmlv.apis import load_model

    return load_model(args.model, args.weights, args.device, args.cfg_options)


def load_inferencer(
    args: argparse.Namespace, labels: tuple[str, ...] | Path | LabelBank | None = None
) -> OVMLVInferencer:
    """An inferencer with the model, labels and calibration that the arguments name."""
    from ovmlv.apis import OVMLVInferencer

    return OVMLVInferencer(
        args.model,
        args.weights,
        args.device,
        labels,
        getattr(args, 'calibration', None),
        getattr(args, 'batch_size', None) or 8,
        args.cfg_options,
    )


def read_label_arguments(args: argparse.Namespace) -> tuple[str, ...] | Path | None:
    """The labels, or the folder of a bank, or None where no argument names any."""
    from ovmlv.apis.label_source import read_labels

    if args.labels is not None:
        refuse_bytes(args.labels, 'label')
        return cast('tuple[str, ...]', read_labels(args.labels))
    if args.labels_file is not None:
        path = Path(args.labels_file)
        if path.is_dir():
            raise ConfigError(f'--labels-file {path} is a folder; give it by --bank')
        if not path.is_file():
            raise FileNotFoundError(f'--labels-file: file {path} not found; correct the path')
        return cast('tuple[str, ...]', read_labels(path))  # a folder was refused
    bank = getattr(args, 'bank', None)
    if bank is None:
        return None
    from ovmlv.label_bank.files import read_index

    read_index(Path(bank))  # before the model is built
    return Path(bank)


def refuse_bytes(texts: Sequence[str], what: str) -> None:
    """Refuse text of the command line that is not in the terminal's encoding, such as Latin-1.

    Raises:
        VocabularyError: A text holds bytes that could not be decoded.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise VocabularyError(
                f'{what} {text!a} is no text in UTF-8; type it in a terminal of that encoding,'
                ' or give a file in UTF-8'
            ) from None


def add_format_argument(parser: argparse.ArgumentParser) -> None:
    """``--format``, of plain rows."""
    parser.add_argument(
        '--format',
        choices=FORMATS,
        default='table',
        help='format of what is printed (default: %(default)s)',
    )


def add_runs_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of tools that read several dumps: NAME=FILE."""
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='NAME=FILE',
        help='a name and a file that "ovmlv test --dump" wrote',
    )
    add_debug_argument(parser)


def read_runs(args: argparse.Namespace) -> dict[str, LabelScores]:
    """The dumps that such arguments name; they must be of the same labels and videos.

    Raises:
        DataError: They differ in labels or videos, or a file is not such a dump.
    """
    from ovmlv.evaluation.label_scores import LabelScores

    runs = {name: LabelScores.load(path) for name, path in named_paths(args.runs).items()}
    (first, one), *others = runs.items()
    for name, other in others:
        if other.classes != one.classes or not other.targets.equal(one.targets):
            raise DataError(f'{name} is of other videos or labels than {first}')
    return runs
