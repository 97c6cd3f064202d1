"""Write all labels for all videos of an index, without decoding any.

    ovmlv index tag --labels new_words.txt --output tags.parquet
    ovmlv index tag --bank words --top-k 10 --output tags.jsonl
    ovmlv index tag videos/2024 --labels "a dog" "a cat" --threshold 0.5 --format csv

The ending of --output decides between Parquet, JSON lines, CSV and a table. On several machines:

    ovmlv index tag --labels words.txt --output tags.parquet --engine ray --address auto
    ovmlv index tag --labels words.txt --output tags.csv --shard 3/16  # tags-00003-of-00016.csv
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from ovmlv.errors import ConfigError, DataError
from ovmlv.utils.terminal import Terminal

from ..arguments import positive, probability
from ..parquet_output import add_rows_arguments, open_output
from ..result_formats import Choice, Format, Parquet, choose_format, written_part
from .common import add_asking_arguments, add_label_choice, open_index, read_label_choice
from .engine import add_engine_arguments, read_engine, read_shard

if TYPE_CHECKING:
    from ovmlv.index import RayEngine, Shard, VideoIndex
    from ovmlv.results import TagResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index tag``."""
    parser.add_argument(
        'videos', nargs='*', metavar='VIDEO', help='file, folder or pattern; default: all videos'
    )
    add_asking_arguments(parser)
    add_label_choice(parser)
    add_output_arguments(parser)
    add_engine_arguments(parser)


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
    add_rows_arguments(group)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Write."""
    engine, shard = read_engine(args), read_shard(args)
    if shard is not None:
        if args.output is None:
            raise ConfigError('--shard needs --output FILE, of which it writes a part')
        args.output = str(shard.part_of(args.output))
    write(args, out, open_index(args), args.videos, engine, shard)


def write(
    args: argparse.Namespace,
    out: Terminal,
    index: VideoIndex,
    entries: list[str],
    engine: RayEngine | None = None,
    shard: Shard | None = None,
) -> None:
    """Write the labels of some videos of an index; of all, if none are named."""
    choice = Choice(args.top_k, args.threshold, args.present, args.timeline)
    videos: Sequence[str] | None = None if not entries else _chosen(index, entries)
    if shard is not None:
        videos = shard.slice(_chosen(index, []) if videos is None else videos)
    style = choose_format(args.format, args.output, args.timeline)
    stream = cast('TextIO', out)
    with open_output(args.output, stream, style, False, args.overwrite) as output:
        output.look({})
        asked = (read_label_choice(args), videos, args.timeline)
        parts: Iterator[Any]
        if engine is None:
            parts = (_part_of([result], style, choice) for result in index.tag(*asked))
        else:
            render = functools.partial(_part_of, style=style, choice=choice)
            parts = engine.tag_parts(index, render, *asked)
        first = next(parts, None)  # what is refused, is refused before the file changes
        output.begin()
        for part in itertools.chain([] if first is None else [first], parts):
            output.add_part(part)


def _part_of(results: Iterable[TagResult], style: Format | Parquet, choice: Choice) -> Any:
    """What is written of some results; workers run it."""
    return written_part(map(choice.of, results), style)


def _chosen(index: VideoIndex, entries: list[str]) -> list[str]:
    from ovmlv.index.index_questions import is_below

    paths = [row.path for row in index.snapshot.videos]
    for entry in entries:
        if not any(is_below(path, entry) for path in paths):
            raise DataError(f'index {index.folder} has no video {entry}; correct the path')
    if not entries:
        return paths
    return [path for path in paths if any(is_below(path, entry) for entry in entries)]
