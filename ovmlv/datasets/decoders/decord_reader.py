"""Frames by decord."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import DependencyError

from .base import BaseReader


class DecordReader(BaseReader):
    """A video read by decord, refused where decord 0.6.0 can be seen to be wrong.

    That is: time stamps that do not increase (AVI with B-frames, of which it gives other frames
    than those asked for), and small pictures whose rows it takes for four channels (widths of 16,
    24 and 48). It knows no AV1. What cannot be seen: of HEVC with a key frame every second frame it
    gave frames 0, 2, 6, 8, 8 for 0, 2, 5, 7, 9. Prefer ``pyav``.

    Args:
        source: Path, or what the file holds.
        num_threads: Threads of the decoder.
    """

    def __init__(self, source: str | Path | bytes, num_threads: int = 1) -> None:
        try:
            import decord
        except ImportError:
            raise DependencyError('decord is not installed: pip install decord') from None
        if isinstance(source, bytes):
            source = io.BytesIO(source)
        elif not Path(source).is_file():
            raise FileNotFoundError(f'video {source} not found; give the path of a video file')
        else:
            source = str(source)
        self.reader = decord.VideoReader(source, num_threads=num_threads)
        times = np.asarray(self.reader.get_frame_timestamp(range(len(self.reader))))
        self.times = times.astype(np.float64).reshape(-1, 2)
        if not len(self.times):
            raise UnreadableVideoError('its video stream holds no frame')
        if (np.diff(self.times[:, 0]) <= 0).any() or np.abs(self.times).max() > 1e9:
            raise UnreadableVideoError(
                "decord gives time stamps that do not increase; use backend='pyav'"
            )

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        frames = self.reader.get_batch(np.asarray(indices)).asnumpy()
        if frames.shape[-1] != 3:
            raise UnreadableVideoError(
                f"decord gives {frames.shape[-1]} channels; use backend='pyav'"
            )
        return list(frames)

    def close(self) -> None:
        """Let the reader go."""
        self.reader = None
