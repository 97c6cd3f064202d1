"""Encode new and changed videos, and take out what is gone.

    ovmlv index add videos/ --model my_model --window 4
    ovmlv index add videos/ more/*.mkv --report bad.jsonl

The first call makes the index and needs --model. A video that is as it was is not read again, and
one that moved is not decoded again. After a kill, the same command goes on. Videos that cannot be
read do not end the run: they are named in the report, and are tried again when they change, or with
--retry. On several machines:

    ovmlv index add /shared/videos --engine ray --address auto
    ovmlv index add /shared/videos --shard 3/16       # a job of sixteen; then: ovmlv index merge
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError
from ovmlv.utils.terminal import Terminal

from ..arguments import add_model_arguments, positive, seconds
from ..output_file import ReportFile
from ..tag import BAD_VIDEOS, without_warnings
from .common import add_index_argument, index_folder, open_index
from .engine import add_engine_arguments, read_engine, read_shard

if TYPE_CHECKING:
    from ovmlv.index import VideoIndex

_READING = ('window', 'stride', 'num_frames', 'num_clips', 'thumbnail')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index add``."""
    parser.add_argument('videos', nargs='+', metavar='VIDEO', help='file, folder or pattern')
    add_index_argument(parser)
    add_model_arguments(parser, required=False)
    group = parser.add_argument_group('how videos are read (fixed by the first call)')
    group.add_argument(
        '--window', type=seconds, metavar='S', help='encode windows of S seconds (default: 4)'
    )
    group.add_argument('--stride', type=seconds, metavar='S', help='seconds between their starts')
    group.add_argument(
        '--whole-videos', action='store_true', help='one embedding a video, without times'
    )
    group.add_argument('--num-frames', type=positive, help="frames of a clip; default: the model's")
    group.add_argument('--num-clips', type=positive, help="clips of a window; default: the model's")
    group.add_argument(
        '--thumbnail', type=int, metavar='PX', help='longer side of thumbnails (96); 0 keeps none'
    )
    group = parser.add_argument_group('this call')
    group.add_argument('--batch-size', type=positive, default=8, help='windows at a time (8)')
    group.add_argument('--keep-gone', action='store_true', help='keep videos whose file is gone')
    group.add_argument('--retry', action='store_true', help='read bad files again')
    group.add_argument(
        '--report', metavar='FILE', help='write the videos that cannot be read, as JSON lines'
    )
    group.add_argument(
        '--commit-seconds', type=seconds, default=10.0, help='write that often (default: 10)'
    )
    group.add_argument('--timings', action='store_true', help='say what a minute of video took')
    add_engine_arguments(parser)


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Encode and write."""
    engine, shard = read_engine(args), read_shard(args)
    options = {} if shard is not None else dict(keep_gone=args.keep_gone)
    with ReportFile(args.report, None) as report:
        index = _open(args, tables=shard is None)
        with without_warnings():
            done = index.add(
                args.videos,
                engine=engine,
                shard=shard,
                retry=args.retry,
                batch_size=args.batch_size,
                commit_seconds=args.commit_seconds,
                progress=True,
                **options,
            )
        report.begin()
        for video, error in done.unread.items():
            report.add(video, error)
    if shard is None:
        end = f'{len(index)} videos in all'
    else:
        end = f'part {shard} is done, and "ovmlv index merge" takes it in'
    out.write(f'{index_folder(args)}: {done.summary()}; {end}\n')
    if args.timings and done.video_seconds:
        parts = (f'{name} {value:.3f} s' for name, value in done.cost().items())
        out.write(f'a minute of video took: {", ".join(parts)}\n')
    return BAD_VIDEOS if done.unread else 0


def _open(args: argparse.Namespace, tables: bool) -> VideoIndex:
    """The index, made if it is not there."""
    from ovmlv.index import VideoIndex
    from ovmlv.index.settings import FILE, WINDOW

    folder = index_folder(args)
    if args.whole_videos and (args.window or args.stride):
        raise ConfigError('--whole-videos has no --window and --stride; leave them out')
    given = {name: getattr(args, name) for name in _READING}
    if os.path.isfile(os.path.join(folder, FILE)):
        index = open_index(args)
        if not args.whole_videos and all(value is None for value in given.values()):
            return index
        for name in _READING[:-1]:  # what is not said is as it was
            if given[name] is None and not args.whole_videos:
                given[name] = getattr(index.settings.reading, name)
        VideoIndex.create(folder, index.inferencer, **given)  # compares
        return index
    if args.model is None:
        raise ConfigError(f'there is no index {folder} yet; give --model to make it')
    if args.window is None and not args.whole_videos:
        given['window'] = WINDOW
    model = (args.model, args.weights, args.device, None, args.cfg_options)
    return VideoIndex.create(folder, *model, **given, tables=tables)
