"""Measure what videos take on this machine, as tools/simulate_fleet.py reads it.

    python tools/analysis_tools/measure_service_times.py videos/ --model my_model \\
        --output service_times.json
    python tools/analysis_tools/measure_service_times.py --synthetic 20 --model ViT-B-32 \\
        --weights none --processor --output tools/service_times.json

A random sample of some hundred videos of the collection will do. Each is decoded and encoded as
"ovmlv index add" does it, in windows, one video at a time. --processor takes seconds of the
processor in place of those of the clock, for a machine that is shared and has no GPU. --synthetic N
makes N videos of 640 x 360 pixels whose lengths are distributed log-normally, and --weights none
leaves the model with random weights, which take as long as trained ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import write_json
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool

if TYPE_CHECKING:
    from ovmlv.apis import OVMLVInferencer

_WIDTH, _HEIGHT, _FPS = 640, 360, 25
#: Seconds of the synthetic videos: median, and spread of the logarithm.
_MEDIAN, _SPREAD = 8.0, 0.7


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('videos', nargs='*', metavar='VIDEO', help='file, folder or pattern')
    parser.add_argument('--synthetic', type=int, metavar='N', help='make N videos instead')
    parser.add_argument('--model', required=True, help='as for ovmlv tag')
    parser.add_argument('--weights', help='as for ovmlv tag, or none')
    parser.add_argument('--device', help='as for ovmlv tag')
    parser.add_argument('--window', type=float, default=4.0, help='seconds (default: %(default)s)')
    parser.add_argument(
        '--bytes-a-video-hour',
        type=float,
        default=3.0e6,
        help='of an index with this model (default: %(default)s, see docs/video_index.md)',
    )
    parser.add_argument('--processor', action='store_true', help='take processor seconds')
    parser.add_argument('--output', required=True, metavar='FILE', help='the file (.json)')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    if bool(args.videos) == (args.synthetic is not None):
        parser.error('give videos, or --synthetic N')
    return args


def make_videos(folder: Path, count: int) -> list[Path]:
    """Videos of moving stripes and noise, which are neither the easiest nor the hardest to decode.

    They depend on their number alone.
    """
    import av

    paths = []
    y, x = np.arange(_HEIGHT)[:, None], np.arange(_WIDTH)
    for number in range(count):
        rng = np.random.default_rng(number)
        seconds = float(np.clip(rng.lognormal(np.log(_MEDIAN), _SPREAD), 2, 60))
        noise = rng.integers(0, 40, (8, _HEIGHT, _WIDTH, 3), np.uint8)
        speed, width = rng.uniform(1, 6, 2), rng.uniform(10, 60)
        path = folder / f'{number:04}.mp4'
        with av.open(str(path), 'w') as container:  # written, so no stranger's
            stream = container.add_stream('libx264', rate=_FPS, options={'preset': 'veryfast'})
            stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, 'yuv420p'
            for t in range(round(seconds * _FPS)):
                wave = np.sin((x + speed[0] * t) / width) + np.cos((y - speed[1] * t) / width)
                frame = (100 + 45 * wave).astype(np.uint8)[..., None] + noise[t // 5 % 8]
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), 'rgb24')
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        paths.append(path)
    return paths


def load(args: argparse.Namespace) -> OVMLVInferencer:
    from ovmlv.apis import OVMLVInferencer

    if args.weights != 'none':
        return OVMLVInferencer(args.model, args.weights, args.device)
    from ovmlv.apis.zero_shot import zero_shot_config

    config = zero_shot_config(args.model, 'openai')
    for part in (config.model.backbone, config.model.head):
        part.pretrained = None
    return OVMLVInferencer(config, device=args.device)


def measure(
    inferencer: OVMLVInferencer, videos: list[Path], args: argparse.Namespace
) -> list[dict]:
    """Seconds of each video, and of its work with the share of decoding."""
    clock = time.process_time if args.processor else time.perf_counter
    inferencer.encode(videos[0], window=args.window)  # what only happens once
    rows = []
    for video in videos:
        started = clock()
        encoded = inferencer.encode(video, window=args.window)
        work = clock() - started
        timings = encoded.timings
        if not encoded.duration or timings is None:
            raise DataError(f'{video} does not tell how long it is; leave it out')
        share = timings.decode / (timings.decode + timings.encode)
        rows.append(
            dict(
                seconds=round(encoded.duration, 3),
                work=round(work, 4),
                decode_share=round(share, 3),
                windows=len(encoded.windows),
            )
        )
        print(f'{video}: {rows[-1]}', flush=True)
    return rows


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis.video_files import find_videos

    with tempfile.TemporaryDirectory() as folder:
        if args.synthetic is not None:
            if args.synthetic < 1:
                raise ConfigError('--synthetic must be at least 1')
            videos = make_videos(Path(folder), args.synthetic)
        else:
            videos = list(find_videos(args.videos))
        if not videos:
            raise DataError(f'no video in {" ".join(args.videos)}; name others')
        inferencer = load(args)
        rows = measure(inferencer, videos, args)
    length, work = sum(row['seconds'] for row in rows), sum(row['work'] for row in rows)
    decode = sum(row['work'] * row['decode_share'] for row in rows)
    summary: dict[str, Any] = dict(
        work_a_video_minute=round(work / length * 60, 3),
        decode_share=round(decode / work, 3),
        mean_seconds=round(length / len(rows), 2),
    )
    found = dict(
        command=' '.join(['measure_service_times.py', *sys.argv[1:]]),
        machine=_machine(args.device),
        unit=f'{"processor" if args.processor else "clock"} seconds of one process',
        bytes_a_video_hour=args.bytes_a_video_hour,
        **summary,
        videos=rows,
    )
    write_json(args.output, found, indent=1)
    print(json.dumps(summary))


def _machine(device: str | None) -> str:
    import torch

    from ovmlv.benchmarking.results import processor_name

    name = processor_name()
    if torch.cuda.is_available() and device != 'cpu':
        name += f', {torch.cuda.get_device_name()}'
    return f'{name}; torch {torch.__version__}, {torch.get_num_threads()} thread(s)'


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
