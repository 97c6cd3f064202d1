"""Write the labels of one video of an index, best first.

    ovmlv index labels videos/a.mp4 --labels words.txt --top-k 10
    ovmlv index labels videos/a.mp4 --bank words --timeline

Without labels, those of the model are taken, if it has any.
"""

from __future__ import annotations

import argparse

from ovmlv.utils.terminal import Terminal

from .common import add_asking_arguments, add_label_choice, open_index
from .tag import add_output_arguments, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv index labels``."""
    parser.add_argument('video', metavar='VIDEO', help='a video of the index')
    add_asking_arguments(parser)
    add_label_choice(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Write."""
    index = open_index(args)
    video = index.snapshot.videos[index.position(args.video)].path
    write(args, out, index, [video])
