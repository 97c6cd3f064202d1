"""Which frames of a video the temporal module looks at.

    python tools/analysis_tools/plot_attention.py CONFIG [CHECKPOINT] --video V.mp4 --out a.png

Rows of the maps read, columns are read; the mean over token positions, of all heads and of those
that choose most among frames.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ovmlv.utils.cli import CfgOptions, load_config, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file; none: as initialised')
    parser.add_argument('--video', required=True, help='video file')
    parser.add_argument('--out', required=True, help='picture to write')
    parser.add_argument('--num-frames', type=int, help="in place of the config's")
    parser.add_argument('--title', help='heading; default: name of the video')
    parser.add_argument('--device', help='such as cpu or cuda:0')
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, help='changes of the config: key=value'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of errors')
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options)

    from ovmlv.apis import init_recognizer
    from ovmlv.apis.video_reader import VideoReader
    from ovmlv.visualization.frame_attention import draw_attention, frame_attention

    view = VideoReader(cfg, num_frames=args.num_frames)(args.video)[0]  # (C, T, H, W), bytes
    model = init_recognizer(cfg, args.checkpoint, args.device)
    device = next(model.parameters()).device
    video = model.data_preprocessor.normalize(view[None, None].to(device))[0, 0]
    attention = frame_attention(model.backbone, video)
    frames = view.permute(1, 2, 3, 0).numpy()
    title = Path(args.video).name if args.title is None else args.title
    print(draw_attention(attention, frames, args.out, title))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
