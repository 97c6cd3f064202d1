"""Write a small made-up folder in the layout of Charades, to try a config before the data is there.

    python tools/data/charades/make_miniature.py data/charades_miniature
    python tools/train.py configs/ovmlv_charades.py --cfg-options \\
        train_dataloader.dataset.data_root=data/charades_miniature \\
        val_dataloader.dataset.data_root=data/charades_miniature

Videos show moving shapes; class names and rows are made up, since those of Charades may not be
passed on. By default there are as many classes as in Charades, and as many of them in a video on
average. Metrics on it mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ovmlv.datasets.motionshapes.generate import FPS, write_video
from ovmlv.datasets.motionshapes.scene import render_clip, sample_scene
from ovmlv.errors import ConfigError
from ovmlv.files import write_text
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool

VERBS = ('Holding', 'Taking', 'Putting down', 'Opening', 'Closing', 'Washing', 'Throwing')
VERBS += ('Tidying up', 'Watching', 'Drawing', 'Moving', 'Turning', 'Fixing')
THINGS = ('a box', 'a bag', 'a book', 'a cup', 'a door', 'a shelf', 'a chair', 'a pillow')
THINGS += ('a towel', 'a phone', 'a picture', 'a lamp', 'a ball')
MAX_CLASSES = len(VERBS) * len(THINGS)
ACTIONS = 6.8  # of a video, on average
COLUMNS = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('out_dir', help='folder to write')
    parser.add_argument('--train', type=int, default=16, help='training videos (%(default)s)')
    parser.add_argument('--test', type=int, default=4, help='test videos (%(default)s)')
    parser.add_argument('--classes', type=int, default=157, help='actions (%(default)s)')
    parser.add_argument('--seconds', type=float, default=4.0, help='of a video (%(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    add_debug_argument(parser)
    return parser.parse_args(argv)


def classes(count: int) -> list[str]:
    """Made-up actions."""
    return [f'{verb} {thing}' for verb in VERBS for thing in THINGS][:count]


def row(name: str, num_classes: int, seconds: float, rng: np.random.Generator) -> str:
    """A line of the annotation file."""
    actions = []
    for index in rng.permutation(num_classes)[: 1 + rng.poisson(ACTIONS - 1)]:
        start, end = np.sort(rng.uniform(0, seconds, 2))
        actions.append(f'c{index:03d} {start:.2f} {end:.2f}')
    cells = f'{name},S001,Attic,6,7,Yes,"Made up.",box,Made up.'
    return f'{cells},{";".join(actions)},{seconds:.2f}'


def main(args: argparse.Namespace) -> None:
    if min(args.train, args.test) < 1 or args.seconds < 1:
        raise ConfigError(
            f'--train {args.train}, --test {args.test}, --seconds {args.seconds}: each must be at '
            'least 1'
        )
    if not 1 <= args.classes <= MAX_CLASSES:
        raise ConfigError(f'--classes {args.classes} must be between 1 and {MAX_CLASSES}')
    root = Path(args.out_dir)
    lines = [f'c{i:03d} {name}' for i, name in enumerate(classes(args.classes))]
    for part, count in (('train', args.train), ('test', args.test)):
        rows = [COLUMNS]
        for i in range(count):
            rng = np.random.default_rng((args.seed, part == 'test', i))
            name = f'{"TE" if part == "test" else "TR"}{i:03d}'
            rows.append(row(name, args.classes, args.seconds, rng))
            frames = render_clip(sample_scene(rng, video=True), round(args.seconds * FPS), rng)
            write_video(root / 'videos' / f'{name}.mp4', frames)
        table = ''.join(f'{line}\r\n' for line in rows)
        write_text(root / 'annotations' / f'Charades_v1_{part}.csv', table)
    write_text(root / 'annotations' / 'Charades_v1_classes.txt', '\n'.join(lines) + '\n')
    print(f'{root}: {args.train} training and {args.test} test videos, {args.classes} classes')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
