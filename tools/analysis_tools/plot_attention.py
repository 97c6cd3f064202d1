"""Draw which frames of a video the temporal module looks at.

    python tools/analysis_tools/plot_attention.py CONFIG [CHECKPOINT] --video V.mp4 --out a.png

Rows of the maps are the frames that read, and columns are the frames that are read. A map is a mean
over token positions; one is of all heads, and one of the heads that choose most among frames.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ovmlv.utils.cli import add_config_arguments, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_config_arguments(parser, checkpoint=True, device=True)
    parser.add_argument('--video', required=True, help='video file')
    parser.add_argument('--out', required=True, help='picture to write')
    parser.add_argument('--num-frames', type=int, help="number of frames, in place of the config's")
    parser.add_argument('--title', help='heading; default: name of the video')
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options)

    from ovmlv.apis import init_recognizer
    from ovmlv.visualization.frame_attention import draw_attention, video_attention

    model = init_recognizer(cfg, args.checkpoint, args.device)
    attention, frames = video_attention(model, args.video, args.num_frames)
    title = Path(args.video).name if args.title is None else args.title
    print(draw_attention(attention, frames, args.out, title))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
