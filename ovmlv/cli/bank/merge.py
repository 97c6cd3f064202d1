"""Take the labels of other banks into one; all must have the same label encoder.

    ovmlv bank merge words more_words even_more
    ovmlv bank merge words more_words --out all_words

Labels that are in several banks are taken once.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..targets import refuse_other_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv bank merge``."""
    parser.add_argument('bank', metavar='DIR', help='folder of the bank')
    parser.add_argument('others', nargs='+', metavar='OTHER', help='folders of other banks')
    parser.add_argument('--out', metavar='DIR', help='write here, and leave DIR as it is')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Merge and save."""
    from ovmlv.apis import LabelBank

    refuse_other_folder(args.out or args.bank, '--out')
    bank = LabelBank.load(args.bank)
    for other in args.others:
        bank.merge(LabelBank.load(other))
    target = args.out or args.bank
    bank.save(target)
    out.write(f'{target}: {len(bank)} labels\n')
