"""Rows of reading: the frames of a clip against MMAction2's stock pipeline on decord.

torchcodec is measured as well where it can be loaded.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from mmengine.dataset import Compose

from ovmlv.errors import DependencyError
from ovmlv.utils import register_all_modules

from .side_by_side import Row, Side

#: Sizes of the videos, 10 seconds of 30 frames a second each.
SIZES = {'720p': (1280, 720), '480p': (854, 480)}


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each size of a video."""
    register_all_modules()
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            path = Path(folder) / f'{name}.mp4'
            write_video(path, size, args.seed)
            yield _row(args, name, path)


def write_video(path: Path, size: tuple[int, int], seed: int, frames: int = 300) -> None:
    """An H.264 file of shapes that move over a texture: neither a still image nor noise."""
    rng = np.random.default_rng(seed)
    width, height = size
    ground = rng.integers(0, 255, (height // 8, width // 8, 3)).astype(np.uint8)
    ground = np.kron(ground, np.ones((8, 8, 1), np.uint8))
    ground = np.pad(ground, ((0, height - len(ground)), (0, width - ground.shape[1]), (0, 0)))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.options = {'crf': '23', 'preset': 'veryfast', 'g': '60'}
        for t in range(frames):
            image = np.roll(ground, (2 * t, 3 * t), (0, 1))
            x = int((0.1 + 0.7 * t / frames) * width)
            image[height // 4 : height // 2, x : x + width // 8] = (230, 40, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())


def _by_torchcodec(build: Callable[..., Compose]) -> list[Compose]:
    """The pipeline on torchcodec; none, with a line that says why, where it cannot be loaded."""
    try:
        return [build(backend='torchcodec')]
    except DependencyError as error:
        print(f'left out: {error}', flush=True)
        return []


def _row(args: argparse.Namespace, name: str, path: Path) -> Row:
    side = 224
    sampler = dict(type='mmaction.UniformSample', clip_len=args.frames, num_clips=1, test_mode=True)
    shape = dict(type='mmaction.FormatShape', input_format='NCTHW')
    theirs = Compose(
        [
            dict(type='mmaction.DecordInit'), sampler, dict(type='mmaction.DecordDecode'),
            dict(type='mmaction.Resize', scale=(-1, side)),
            dict(type='mmaction.CenterCrop', crop_size=side), shape,
        ]
    )  # fmt: skip

    def ours(**kwargs: str) -> Compose:
        return Compose(
            [
                dict(type='ovmlv.VideoInit', **kwargs), sampler, dict(type='ovmlv.VideoDecode'),
                dict(type='mmaction.Resize', scale=(-1, side)),
                dict(type='mmaction.CenterCrop', crop_size=side), shape,
            ]
        )  # fmt: skip

    plain, sparing = ours(), ours(unreferenced='skip')
    further = _by_torchcodec(ours)

    def read(pipeline: Any) -> Any:
        return pipeline(dict(filename=str(path), start_index=0, modality='RGB'))

    def check(found: dict[str, Any]) -> str:
        first, second, *others = found.values()
        assert (first['frame_inds'] == second['frame_inds']).all()
        assert all((second['imgs'] == other['imgs']).all() for other in others)
        apart = np.abs(first['imgs'].astype(int) - second['imgs'])
        assert apart.mean() < 2, apart.mean()
        return (
            f'the same {args.frames} frames; pixels differ by {apart.mean():.2f} of 255 on '
            f'average, {apart.max()} at most'
        )

    sides = [
        Side("MMAction2's pipeline on decord", lambda: read(theirs)),
        Side('ovmlv', lambda: read(plain), goal=0.5),
        Side("ovmlv, unreferenced='skip'", lambda: read(sparing), goal=0.5),
        *(Side("ovmlv, backend='torchcodec'", partial(read, pipeline)) for pipeline in further),
    ]
    return Row(f'reading: {args.frames} frames of a {name} file', sides, check, (1, 'videos'))
