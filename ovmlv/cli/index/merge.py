"""Take in what processes encoded in parts (ovmlv index add --shard).

    ovmlv index merge --report bad.jsonl

It needs no model and decodes nothing. It may be run at any time, also while parts are still at
work, and again after the last one. The next "ovmlv index add" without --shard does the same first.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from ..output_file import ReportFile
from ..tag import BAD_VIDEOS
from .common import add_index_argument, open_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index merge``."""
    add_index_argument(parser)
    parser.add_argument(
        '--report', metavar='FILE', help='write the videos that cannot be read, as JSON lines'
    )


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Merge."""
    with ReportFile(args.report, None) as report:
        index = open_index(args)
        done = index.merge()
        report.begin()
        for video, error in done.unread.items():
            report.add(video, error)
    unread = f', {len(done.unread)} could not be read' if done.unread else ''
    out.write(
        f'{index.folder}: {done.merged} videos taken in{unread}; {len(index)} videos in all\n'
    )
    return BAD_VIDEOS if done.unread else 0
