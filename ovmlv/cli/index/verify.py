"""Look for damage of an index, and for files that are gone or changed.

    ovmlv index verify
    ovmlv index verify videos/ --content

Each fault is a line with its mend. With --content, files are read and compared by their hashes.
"""

from __future__ import annotations

import argparse

from ovmlv.plain_text import message_line
from ovmlv.utils.terminal import Terminal

from .common import add_index_argument, open_index

_MUST_BE_MENDED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index verify``."""
    parser.add_argument('videos', nargs='*', metavar='FOLDER', help='look at these files alone')
    add_index_argument(parser)
    parser.add_argument('--content', action='store_true', help='read the files, too')


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Print the faults, and give the exit status."""
    index = open_index(args)
    faults = index.verify(args.videos or None, args.content)
    for fault in faults:
        out.write(f'{message_line(fault)}\n')
    if not faults:
        out.write(f'{index.folder}: {len(index)} videos, no faults\n')
    return _MUST_BE_MENDED if faults else 0
