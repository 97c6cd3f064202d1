"""Encode those labels that are not in a bank.

    ovmlv bank add words --model my_model --labels "a red kite" "a blue kite"

The bank is written again as a whole after every part, so that a kill leaves it usable.
"""

from __future__ import annotations

import argparse
from typing import cast

from ovmlv.utils.terminal import Terminal

from ..arguments import load_model_of, read_label_arguments
from .build import add_arguments

__all__ = ['add_arguments', 'run']


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Encode and save."""
    from ovmlv.apis import LabelBank

    labels = cast('tuple[str, ...]', read_label_arguments(args))  # a bank is no choice here
    bank = LabelBank.load(args.bank)
    model = load_model_of(args).recognizer
    new = bank.add(labels, model, args.bank, args.chunk_size, progress=True)
    out.write(f'{args.bank}: {len(new)} labels were new, {len(bank)} in all\n')
