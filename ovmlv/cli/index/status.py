"""Say what an index holds, and what is new in folders.

    ovmlv index status
    ovmlv index status videos/ --format jsonl

Without folders, it tells what the index holds, and the files are not looked at.
"""

from __future__ import annotations

import argparse
import json

from ovmlv.utils.terminal import Terminal

from ..arguments import add_format_argument
from ..result_formats import write_rows
from .common import add_index_argument, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index status``."""
    parser.add_argument('videos', nargs='*', metavar='FOLDER', help='compare with files or folders')
    add_index_argument(parser)
    add_format_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Print."""
    found = open_index(args).status(args.videos or None).to_dict()
    if args.format == 'jsonl':
        out.write_json(json.dumps(found) + '\n')
        return
    near = found['approximate']
    rows = [
        ('videos', found['videos']),
        ('windows', found['windows']),
        ('hours', f'{found["seconds"] / 3600:.2f}'),
        ('could not be read', len(found['unread'])),
        ('megabytes', f'{found["bytes"] / 1e6:.1f}'),
        ('model', found['model'] or ''),
        ('video encoder', found['encoder']),
        ('seconds of a window', 'whole videos' if found['window'] is None else found['window']),
        ('approximate', '' if near is None else f'recall at 100 of {near["recall"]:.3f}'),
    ]
    if args.videos:
        rows += [('new or changed', found['new']), ('gone', found['gone'])]
    write_rows(out, args.format, ('what', 'value'), rows)
