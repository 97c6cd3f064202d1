"""Find the labels nearest to a text, and mark those that are the text in another spelling or form.

    ovmlv bank search words "flying a kite" --model my_model --top-k 5

Without --model, queries must be in the bank themselves.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..arguments import (
    add_format_argument,
    add_model_arguments,
    load_model_of,
    positive,
    refuse_bytes,
)
from ..result_formats import write_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv bank search``."""
    parser.add_argument('bank', metavar='DIR', help='folder of the bank')
    parser.add_argument('queries', nargs='+', metavar='QUERY', help='text to search for')
    parser.add_argument(
        '--top-k', type=positive, default=10, help='labels for each text (default: %(default)s)'
    )
    add_format_argument(parser)
    add_model_arguments(parser, required=False)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Search."""
    from ovmlv.apis import LabelBank

    refuse_bytes(args.queries, 'query')
    bank = LabelBank.load(args.bank)
    model = None if args.model is None else load_model_of(args).recognizer
    found = bank.search(args.queries, args.top_k, model)
    rows = [
        (query, near.label, near.similarity, near.kind)
        for query, neighbours in zip(args.queries, found, strict=True)
        for near in neighbours
    ]
    write_rows(out, args.format, ('query', 'label', 'similarity', 'kind'), rows)
