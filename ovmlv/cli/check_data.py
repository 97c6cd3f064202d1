"""Look for what is wrong with the videos and annotations of a data set.

    ovmlv check-data CONFIG --out work_dirs/check_mine
    ovmlv check-data FOLDER --out work_dirs/check_folder

For a config, it finds videos that are missing, unreadable, damaged, cut short or too short for a
clip; labels past the end of their video; classes without a positive; and videos that training and
test share, by id or by content. For a folder, it looks at the videos alone. Files are decoded in
other processes with a time limit, so that none can stop the scan. Run the command again to go on
after an interruption; files that have not changed are not decoded twice.

It writes report.json and report.txt. Exit status: 0, or 3 if anything is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import DataError
from ovmlv.utils.cli import add_cfg_options
from ovmlv.utils.configs import load_config
from ovmlv.utils.terminal import Terminal

from .app import MUST_BE_MENDED

if TYPE_CHECKING:
    from ovmlv.curation.dataset_check import DatasetReport

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv check-data``."""
    parser.add_argument('source', help='config file, ovmlv::NAME, or folder of videos')
    parser.add_argument('--out', required=True, help='folder of the report and the journal')
    parser.add_argument(
        '--quick', action='store_true', help='decode only the first and the last frame'
    )
    parser.add_argument(
        '--min-frames',
        type=int,
        help="least frames of a video (default: the config's clip_len; 8 for a folder)",
    )
    parser.add_argument('--workers', type=int, default=2, help='processes (default: %(default)s)')
    parser.add_argument(
        '--time-limit', type=float, default=120, help='seconds for a file (default: %(default)s)'
    )
    add_cfg_options(parser)


def run(args: argparse.Namespace, out: Terminal) -> int:
    """Scan, compare, report."""
    report = examine(args)
    out.write(f'{report.text()}\nthe whole report is in {args.out}/report.txt and report.json\n')
    return 0 if report.is_clean else MUST_BE_MENDED


def examine(args: argparse.Namespace) -> DatasetReport:
    """The report, which is also saved in ``--out``."""
    from ovmlv.curation import check_dataset, scan_videos
    from ovmlv.curation.config_datasets import config_datasets
    from ovmlv.curation.video_scan import list_videos

    if Path(args.source).is_dir():
        datasets: dict[str, Any] = {}
        clip_len = 8
        paths = list_videos(args.source)
        if not paths:
            raise DataError(f'{args.source}: no video in this folder; give another')
    else:
        datasets, clip_len = config_datasets(load_config(args.source, args.cfg_options), LOADERS)
        paths = [d.get_data_info(i)['filename'] for d in datasets.values() for i in range(len(d))]
    videos = scan_videos(
        paths,
        journal=Path(args.out) / 'scan.jsonl',
        full=not args.quick,
        min_frames=args.min_frames or clip_len,
        num_workers=args.workers,
        time_limit=args.time_limit,
        progress=show_progress,
    )
    report = check_dataset(datasets, videos)
    report.save(args.out)
    return report


def show_progress(done: int, total: int) -> None:
    """Overwrite one line on a terminal; elsewhere, print a line for each hundredth part."""
    if sys.stderr.isatty():
        print(f'\r{done} of {total} videos', end='\n' if done == total else '', file=sys.stderr)
    elif done % max(1, total // 100) == 0 or done == total:
        print(f'{done} of {total} videos', file=sys.stderr, flush=True)
