"""Encode labels into a folder.

    ovmlv bank build words --model my_model --labels-file words.txt

Every finished part is kept; the same command goes on after an interruption. A bank can be used with
all models that have the same label encoder.
"""

from __future__ import annotations

import argparse
from typing import cast

from ovmlv.utils.terminal import Terminal

from ..arguments import (
    add_label_arguments,
    add_model_arguments,
    load_model_of,
    positive,
    read_label_arguments,
)
from ..targets import refuse_other_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv bank build``."""
    parser.add_argument('bank', metavar='DIR', help='folder of the bank')
    add_model_arguments(parser)
    add_label_arguments(parser, bank=False)
    parser.add_argument(
        '--chunk-size',
        type=positive,
        default=4096,
        help='labels in each part (default: %(default)s)',
    )


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Encode and save."""
    from ovmlv.apis import LabelBank

    refuse_other_folder(args.bank, 'the bank')
    labels = cast('tuple[str, ...]', read_label_arguments(args))  # a bank is no choice here
    model = load_model_of(args).recognizer
    bank = LabelBank.build(model, labels, args.bank, args.chunk_size, progress=True)
    out.write(f'{args.bank}: {len(bank)} labels\n')
