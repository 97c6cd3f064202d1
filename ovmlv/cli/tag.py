"""Tag videos with any labels.

    ovmlv tag my_video.mp4 --model motionshapes --labels "a red circle" "a star spinning"
    ovmlv tag videos/ --model ViT-B-16/openai --labels-file words.txt --top-k 5 --output tags.csv
    ovmlv tag videos/ --model my_model --output tags.jsonl --report bad.jsonl --resume
    ovmlv tag videos/ --model my_model --labels-file words.txt --output tags.parquet
    ovmlv tag talk.mp4 --model my_model --bank words --window 4 --stride 2 --timeline --format jsonl
    ovmlv tag videos/ --model my_model --save-video pictures --save-sheet sheet.png

Videos are files, folders (with all below them) and patterns. Results go to stdout or to --output,
and everything else goes to stderr. A video that cannot be read does not end the run: it is named in
the report. After a kill, the same command with --resume goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.utils.terminal import Terminal

from .arguments import (
    add_label_arguments,
    add_model_arguments,
    load_inferencer,
    positive,
    probability,
    read_label_arguments,
    seconds,
)
from .output_file import OutputFile, ReportFile
from .parquet_output import ParquetOutput, open_output
from .result_formats import FILE_FORMATS, Choice, choose_format
from .tag_pictures import Pictures
from .targets import refuse_inputs

if TYPE_CHECKING:
    from ovmlv.apis import TagResult

#: Seconds of a window, where a timeline is asked for and nothing else is said.
WINDOW = 2.0
BAD_VIDEOS = 3
#: Arguments that change what is written; --resume compares them.
_SETTINGS = (
    'model weights cfg_options calibration window stride num_frames num_clips top_k threshold '
    'present timeline timings'
).split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv tag``."""
    parser.add_argument('videos', nargs='+', metavar='VIDEO', help='file, folder or pattern')
    add_model_arguments(parser)
    add_label_arguments(parser, required=False)
    group = parser.add_argument_group('tagging')
    group.add_argument('--calibration', metavar='FILE', help='file that "ovmlv calibrate" wrote')
    group.add_argument(
        '--batch-size',
        type=positive,
        default=8,
        help='videos or windows at a time (default: %(default)s)',
    )
    group.add_argument('--num-frames', type=positive, help="frames of a clip; default: the model's")
    group.add_argument(
        '--num-clips', type=positive, help="clips of a video or window; default: the model's"
    )
    group.add_argument('--window', type=seconds, metavar='S', help='tag windows of S seconds')
    group.add_argument(
        '--stride',
        type=seconds,
        metavar='S',
        help='seconds from the start of a window to that of the next',
    )
    group = parser.add_argument_group('what is written')
    group.add_argument('--top-k', type=positive, metavar='K', help='write only the K best labels')
    least = group.add_mutually_exclusive_group()
    least.add_argument(
        '--threshold',
        type=probability,
        metavar='P',
        help='write only labels with a probability of at least P',
    )
    least.add_argument(
        '--present',
        action='store_true',
        help='write only labels that reach their threshold of the calibration (0.5 without one)',
    )
    group.add_argument(
        '--timeline',
        action='store_true',
        help=f'also write the probabilities of each window (of {WINDOW:g} s without --window)',
    )
    group.add_argument(
        '--timings',
        action='store_true',
        help='also write the time that each video took (not in CSV and Parquet)',
    )
    group.add_argument(
        '--format', choices=FILE_FORMATS, help='default: as the ending of --output says, else table'
    )
    group.add_argument('--output', metavar='FILE', help='write results to FILE, not to stdout')
    again = group.add_mutually_exclusive_group()
    again.add_argument(
        '--resume', action='store_true', help='leave out the videos that --output has already'
    )
    again.add_argument('--overwrite', action='store_true', help='replace --output')
    group.add_argument(
        '--report', metavar='FILE', help='write the videos that cannot be read, as JSON lines'
    )
    group = parser.add_argument_group(
        'pictures',
        'PATH is a folder, which gets one file for each video, or a file for a single video',
    )
    group.add_argument('--save-video', metavar='PATH', help='the video with its labels (.mp4)')
    group.add_argument(
        '--save-sheet', metavar='PATH', help='frames and labels; a file (.png) shows all videos'
    )
    group.add_argument('--save-timeline', metavar='PATH', help='labels over time (.png)')


def check_usage(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Catch ``--labels a b video.mp4``, where the video would be a label."""
    if '--labels' not in argv:
        return
    after = list(argv[argv.index('--labels') + 1 :])
    labels = after[: next((i for i, v in enumerate(after) if v.startswith('-')), len(after))]
    files = [label for label in labels if os.path.isfile(label)]
    if files:
        parser.error(f'--labels takes {files[0]} for a label; put the videos before the options')


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Tag, and give the exit status."""
    from ovmlv.apis.video_files import find_videos

    if args.stride is not None and args.window is None:
        raise ConfigError(f'--stride {args.stride:g} needs --window')
    if args.window is None and (args.timeline or args.save_timeline):
        args.window = WINDOW
    style = choose_format(args.format, args.output, args.timeline)
    with ExitStack() as stack:
        output = open_output(args.output, out, style, args.resume, args.overwrite)
        stack.enter_context(output)
        report = stack.enter_context(ReportFile(args.report, args.output))
        labels = read_label_arguments(args)
        read = [args.labels_file, args.model, args.weights, args.calibration]
        videos = _each_once(find_videos(args.videos))
        pictures = Pictures(
            dict(video=args.save_video, sheet=args.save_sheet, timeline=args.save_timeline),
            videos,
            args.top_k,
            args.threshold,
        )
        for name in ('output', 'report'):
            refuse_inputs(getattr(args, name), f'--{name}', [*read, *videos])
        videos = [video for video in videos if not pictures.is_drawn(video)]
        done = output.look(dict(_settings(args, labels), format=style.name))
        todo = [video for video in videos if os.path.abspath(video) not in done]
        skipped = len(videos) - len(todo)
        # Old results stay until the model and the labels are there.
        results = _results(args, labels, todo) if todo else ()
        output.begin()
        report.begin()
        _write(args, results, len(todo), skipped, output, report, pictures)
        _summary(len(todo) - report.count, skipped, report)
    return BAD_VIDEOS if report.count else 0


def _results(
    args: argparse.Namespace, labels: tuple[str, ...] | Path | None, videos: Sequence[Path]
) -> Iterable[TagResult]:
    """Results one by one, after all arguments have been checked and the model has been loaded."""
    inferencer = load_inferencer(args, labels)
    if inferencer.labels is None:
        raise ConfigError('no labels; give --labels, --labels-file or --bank')
    return inferencer.iterate(
        videos,
        window=args.window,
        stride=args.stride,
        num_frames=args.num_frames,
        num_clips=args.num_clips,
        on_error='report',
    )


def _write(
    args: argparse.Namespace,
    results: Iterable[TagResult],
    count: int,
    skipped: int,
    output: OutputFile | ParquetOutput,
    report: ReportFile,
    pictures: Pictures,
) -> None:
    from tqdm import tqdm

    choice = Choice(args.top_k, args.threshold, args.present, args.timeline, args.timings)
    bar = tqdm(
        total=skipped + count,
        initial=skipped,
        unit='video',
        file=sys.stderr,
        disable=None if count else True,  # shown on a terminal only
    )
    with bar, without_warnings():
        for result in results:
            error, chosen = result.error, result
            if error is None:
                chosen = choice.of(result)
                try:
                    pictures.draw(result)
                except DataError as problem:
                    error = str(problem)
            pictures.collect(chosen)
            with bar.external_write_mode():
                if error is None:
                    output.add(chosen)
                else:
                    report.add(result.video, error)
            bar.update()
    pictures.finish()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Give no warnings about what the report says."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('ERROR')
    try:
        yield
    finally:
        logger.setLevel(level)


def _each_once(videos: Sequence[Path]) -> list[Path]:
    """Each video once, under its first name, if its path is written in several ways."""
    found: dict[str, Path] = {}
    for video in videos:
        found.setdefault(os.path.abspath(video), video)
    return list(found.values())


def _settings(args: argparse.Namespace, labels: Any) -> dict[str, Any]:
    """What makes results comparable, as plain values."""
    from ovmlv.label_bank.files import INDEX

    found = {name: getattr(args, name) for name in _SETTINGS}
    for name in ('model', 'weights', 'calibration'):
        if found[name] is not None and os.path.exists(found[name]):
            found[name] = os.path.abspath(found[name])
    if isinstance(labels, Path):
        text = (labels / INDEX).read_text(encoding='utf-8')
    else:
        text = json.dumps(labels)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return json.loads(json.dumps(dict(found, labels=digest), default=str))


def _summary(tagged: int, skipped: int, report: ReportFile) -> None:
    parts = [f'{tagged} tagged']
    if skipped:
        parts.append(f'{skipped} done before')
    if report.count:
        where = f', see {report.path}' if report.path else ''
        parts.append(f'{report.count} could not be read{where}')
    print(', '.join(parts), file=sys.stderr)
