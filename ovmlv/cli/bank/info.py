"""Say what a bank holds.

    ovmlv bank info words
    ovmlv bank info words --duplicates --format csv
    ovmlv bank info words --list > words.txt

All files of the bank are compared with their checksums.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ovmlv.utils.terminal import Terminal

from ..arguments import add_format_argument
from ..result_formats import write_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv bank info``."""
    parser.add_argument('bank', metavar='DIR', help='folder of the bank')
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        '--duplicates',
        action='store_true',
        help='list labels that say the same as another one in other words',
    )
    what.add_argument('--list', action='store_true', help='list all labels, one a line')
    add_format_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Print."""
    from ovmlv.apis import LabelBank

    bank = LabelBank.load(args.bank)  # compares all checksums
    if args.list:
        out.write_data(''.join(f'{label}\n' for label in bank.labels))
    elif args.duplicates:
        write_rows(out, args.format, ('label', 'earlier', 'kind'), bank.duplicates())
    else:
        encoder = bank.encoder
        size = sum(path.stat().st_size for path in Path(args.bank).glob('*') if path.is_file())
        rows = [
            ('labels', len(bank)),
            ('bytes', size),
            ('label encoder', encoder.type),
            ('fingerprint', encoder.fingerprint),
            ('dimensions', encoder.embed_dim),
            ('unit vectors', encoder.unit_length),
            *((f'encoder.{name}', str(value)) for name, value in encoder.settings.items()),
        ]
        if args.format == 'table':
            for name, value in rows:
                out.write(f'{name:18} {value}\n')
        else:
            write_rows(out, args.format, ('property', 'value'), rows)
