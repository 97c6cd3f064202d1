#!/usr/bin/env python
"""Write the Toybox videos and annotations; a second run reuses what is there."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from ovmlv.datasets.toybox.generate import generate
from ovmlv.files import read_json
from ovmlv.models.clip.architecture import SHIPPED

#: How often the captions of the shipped tiny CLIP held each word.
FREQUENCIES = SHIPPED / 'toybox.frequencies.json'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out-dir', default='data/toybox')
    parser.add_argument('--train', type=int, default=4800, help='number of training videos')
    parser.add_argument('--val', type=int, default=200, help='number of validation videos')
    parser.add_argument('--test', type=int, default=800, help='number of test videos')
    parser.add_argument(
        '--test-held-out', type=int, default=1600,
        help='number of test videos by the family of drawings that is in no training video',
    )  # fmt: skip
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    sizes = dict(
        train=args.train, val=args.val, test=args.test, test_held_out=args.test_held_out
    )  # fmt: skip
    try:
        written = generate(
            args.out_dir, sizes, read_json(FREQUENCIES), args.seed, args.workers,
            progress=lambda rows, total: tqdm(rows, total=total, desc='videos', mininterval=2),
        )  # fmt: skip
    except ValueError as error:
        raise SystemExit(f'generate_videos: {error}') from None
    print(f'{args.out_dir}: {"written" if written else "already there"}')


if __name__ == '__main__':
    main()
