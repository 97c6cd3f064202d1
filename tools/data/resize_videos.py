"""Make videos smaller, so that training does not decode pixels that it throws away.

    python tools/data/resize_videos.py SOURCE_FOLDER TARGET_FOLDER [--short-side 256] [--workers 2]

Each video becomes an H.264 .mp4 of the same relative name. It is upright, has its frames at the
same times, has no sound, and has key frames close to each other. Files appear when they are
complete; run the tool again to go on after an interruption. Videos that are damaged are named at
the end and have no file in the target folder. FFmpeg comes with PyAV and need not be installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('source', help='folder of videos')
    parser.add_argument('target', help='folder to write to')
    parser.add_argument(
        '--short-side',
        type=int,
        default=256,
        help='pixels of the shorter side (default: %(default)s)',
    )
    parser.add_argument(
        '--gop', type=int, default=32, help='frames between key frames (default: %(default)s)'
    )
    parser.add_argument(
        '--quality', type=int, default=20, help='CRF of x264 (default: %(default)s)'
    )
    parser.add_argument(
        '--preset', default='veryfast', help='preset of x264 (default: %(default)s)'
    )
    parser.add_argument('--workers', type=int, default=2, help='processes (default: %(default)s)')
    parser.add_argument(
        '--time-limit', type=float, default=1800, help='seconds for a file (default: %(default)s)'
    )
    add_debug_argument(parser)
    return parser.parse_args(argv)


def plan(source: Path, target: Path, **settings: object) -> tuple[list, int]:
    """Tasks that are left, and how many are done already."""
    from ovmlv.curation.resize import ResizeTask
    from ovmlv.curation.video_scan import list_videos
    from ovmlv.errors import DataError

    if not source.is_dir():
        raise FileNotFoundError(f'{source} is no folder; give the folder of the videos')
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise DataError(f'{target} is {source} or lies in it; give a folder beside it')
    tasks, done, owners = [], 0, {}
    for path in map(Path, list_videos(source)):
        made = (target / path.relative_to(source)).with_suffix('.mp4')
        if made in owners:
            raise DataError(f'{path} and {owners[made]} would both become {made}; rename one')
        owners[made] = path
        if made.is_file() and made.stat().st_mtime >= path.stat().st_mtime:
            done += 1
        else:
            tasks.append(ResizeTask(str(path), str(made), **settings))
    if not owners:
        raise DataError(f'{source}: no video in this folder; give another')
    return tasks, done


def main(args: argparse.Namespace) -> int:
    """Resize what is not there yet."""
    from ovmlv.curation import Failure, resize_video, run_supervised
    from ovmlv.errors import ConfigError

    if args.short_side < 2 or args.gop < 1:
        raise ConfigError(f'--short-side {args.short_side} and --gop {args.gop} must be positive')
    tasks, done = plan(
        Path(args.source),
        Path(args.target),
        short_side=args.short_side,
        gop=args.gop,
        quality=args.quality,
        preset=args.preset,
    )
    print(f'{done} videos are there already, {len(tasks)} to do', flush=True)
    failed = []
    results = run_supervised(resize_video, tasks, args.workers, args.time_limit)
    for number, (task, result) in enumerate(results, 1):
        if isinstance(result, Failure):
            failed.append((task.source, result.reason))
            text = f'FAILED: {result.reason}'
        else:
            text = f'{result["frames"]} frames of {result["size"][0]}x{result["size"][1]}'
        print(f'[{number}/{len(tasks)}] {task.source}: {text}', flush=True)
    for path, reason in failed:
        print(f'not written: {path}: {reason}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
