"""Take videos out of an index; the files stay.

    ovmlv index remove videos/old videos/a.mp4 "videos/draft*"

A file that is in a folder given to "ovmlv index add" comes back with the next call.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from .common import add_index_argument, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index remove``."""
    parser.add_argument('videos', nargs='+', metavar='VIDEO', help='file, folder or pattern')
    add_index_argument(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Remove."""
    index = open_index(args)
    count = index.remove(args.videos)
    out.write(f'{index.folder}: {count} videos taken out, {len(index)} are left\n')
