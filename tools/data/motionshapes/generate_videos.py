"""Write the MotionShapes videos and annotations; a second run reuses what is there."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from ovmlv.datasets.motionshapes.generate import generate


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out-dir', default='data/motionshapes')
    parser.add_argument('--train', type=int, default=4800, help='number of training videos')
    parser.add_argument('--val', type=int, default=201, help='number of validation videos')
    parser.add_argument('--test', type=int, default=801, help='number of test videos')
    parser.add_argument('--frames', type=int, default=16, help='frames of a video')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    sizes = {'train': args.train, 'val': args.val, 'test': args.test}
    try:
        written = generate(
            args.out_dir, sizes, args.seed, args.frames, args.workers,
            progress=lambda rows, total: tqdm(rows, total=total, desc='videos', mininterval=2),
        )  # fmt: skip
    except ValueError as error:
        raise SystemExit(f'generate_videos: {error}') from None
    print(f'{args.out_dir}: {"written" if written else "already there"}')


if __name__ == '__main__':
    main()
