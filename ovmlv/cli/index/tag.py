"""Write all labels for all videos of an index, without decoding any.

    ovmlv index tag --labels new_words.txt --output tags.parquet
    ovmlv index tag --bank words --top-k 10 --output tags.jsonl
    ovmlv index tag videos/2024 --labels "a dog" "a cat" --threshold 0.5 --format csv

The ending of --output decides between Parquet, JSON lines, CSV and a table.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TextIO, cast

from ovmlv.errors import DataError
from ovmlv.utils.terminal import Terminal

from ..arguments import positive, probability
from ..parquet_output import open_output
from ..result_formats import FILE_FORMATS, Choice, choose_format
from .common import add_asking_arguments, add_label_choice, open_index, read_label_choice

if TYPE_CHECKING:
    from ovmlv.index import VideoIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index tag``."""
    parser.add_argument(
        'videos', nargs='*', metavar='VIDEO', help='file, folder or pattern; default: all videos'
    )
    add_asking_arguments(parser)
    add_label_choice(parser)
    add_output_arguments(parser)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """What is written, and where."""
    group = parser.add_argument_group('what is written')
    group.add_argument('--top-k', type=positive, metavar='K', help='write only the K best labels')
    least = group.add_mutually_exclusive_group()
    least.add_argument('--threshold', type=probability, metavar='P', help='least probability')
    least.add_argument(
        '--present',
        action='store_true',
        help='only labels that reach their threshold of the calibration (0.5 without one)',
    )
    group.add_argument('--timeline', action='store_true', help='also write each window')
    group.add_argument(
        '--format',
        choices=FILE_FORMATS,
        help='default: as the ending of --output says, else table',
    )
    group.add_argument('--output', metavar='FILE', help='write to FILE, not to stdout')
    group.add_argument('--overwrite', action='store_true', help='replace --output')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Write."""
    write(args, out, open_index(args), args.videos)


def write(args: argparse.Namespace, out: Terminal, index: VideoIndex, entries: list[str]) -> None:
    """Write the labels of some videos of an index; of all, if none are named."""
    choice = Choice(args.top_k, args.threshold, args.present, args.timeline)
    videos = None if not entries else _chosen(index, entries)
    style = choose_format(args.format, args.output, args.timeline)
    stream = cast('TextIO', out)
    with open_output(args.output, stream, style, False, args.overwrite) as output:
        output.look({})
        results = index.tag(read_label_choice(args), videos, args.timeline)
        output.begin()
        for result in results:
            output.add(choice.of(result))


def _chosen(index: VideoIndex, entries: list[str]) -> list[str]:
    from ovmlv.index.index_questions import is_below

    paths = [row.path for row in index.snapshot.videos]
    for entry in entries:
        if not any(is_below(path, entry) for path in paths):
            raise DataError(f'index {index.folder} has no video {entry}; correct the path')
    return [path for path in paths if any(is_below(path, entry) for entry in entries)]
