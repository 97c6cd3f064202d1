"""Compare the video readers: the time for the frames of a clip, and whether they give the same.

    python tools/analysis_tools/time_decoders.py VIDEO [VIDEO ...] [--frames 16] [--repeat 5]

In turn, each reader opens the video and decodes frames spread over it; the best time counts.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from ovmlv.errors import DependencyError
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('videos', nargs='+', help='video files')
    parser.add_argument(
        '--frames', type=int, default=16, help='frames of a clip (default: %(default)s)'
    )
    parser.add_argument('--repeat', type=int, default=5, help='rounds (default: %(default)s)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def clip(video: str, backend: str, count: int) -> list[np.ndarray]:
    """Frames in the middle of equal parts."""
    from ovmlv.datasets.decoders import open_video

    reader = open_video(video, backend)
    try:
        places = (np.arange(count) + 0.5) / count
        return reader.get_frames((places * len(reader)).astype(int))
    finally:
        reader.close()


def main(args: argparse.Namespace) -> None:
    """Print a line for each video."""
    from ovmlv.datasets.decoders import READERS, check_installed
    from ovmlv.datasets.video_failures import READ_ERRORS, describe_failure

    backends = []
    for backend in READERS:
        try:
            check_installed(backend)
            backends.append(backend)
        except DependencyError as error:
            print(f'{backend} is left out: {error}', file=sys.stderr)
    for video in args.videos:
        best: dict[str, float] = {}
        results: dict[str, list[np.ndarray] | str] = {}
        for _ in range(args.repeat):
            for backend in backends:
                start = time.process_time()  # also of the decoder's threads
                try:
                    results[backend] = clip(video, backend, args.frames)
                except READ_ERRORS as error:
                    results[backend] = describe_failure(error)
                took = 1000 * (time.process_time() - start)
                best[backend] = min(took, best.get(backend, took))
        print(video)
        first = results['pyav']
        for backend, found in results.items():
            if isinstance(found, str):
                print(f'  {backend}: {found}')
                continue
            same = not isinstance(first, str) and sum(map(np.array_equal, first, found))
            print(
                f'  {backend}: {best[backend]:.1f} ms of CPU, {same} of {len(found)} frames as pyav'
            )


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
