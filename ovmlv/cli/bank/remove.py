"""Take labels out of a bank.

    ovmlv bank remove words --labels "a red kite"

If one of the labels is not in the bank, nothing is removed.
"""

from __future__ import annotations

import argparse
from typing import cast

from ovmlv.utils.terminal import Terminal

from ..arguments import add_label_arguments, read_label_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv bank remove``."""
    parser.add_argument('bank', metavar='DIR', help='folder of the bank')
    add_label_arguments(parser, bank=False)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Remove and save."""
    from ovmlv.apis import LabelBank

    labels = cast('tuple[str, ...]', read_label_arguments(args))  # a bank is no choice here
    bank = LabelBank.load(args.bank)
    bank.remove(labels)
    bank.save(args.bank)
    out.write(f'{args.bank}: {len(bank)} labels are left\n')
