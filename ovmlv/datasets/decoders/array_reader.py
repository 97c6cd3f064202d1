"""Frames that are in memory already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovmlv.errors import DataError, UnreadableVideoError

from .base import BaseReader


class ArrayReader(BaseReader):
    """An array in place of a file.

    Args:
        frames: RGB uint8 ``(T, H, W, 3)``.
        rate: Frames a second.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import ArrayReader
        >>> reader = ArrayReader(np.zeros((6, 32, 48, 3), dtype=np.uint8), rate=4.0)
        >>> len(reader), reader.rate, reader.times[1].tolist()
        (6, 4.0, [0.25, 0.5])
        >>> [frame.shape for frame in reader.get_frames([0, 5])]
        [(32, 48, 3), (32, 48, 3)]
    """

    def __init__(self, frames: np.ndarray, rate: float = 1.0) -> None:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise DataError(
                f'frames are {frames.dtype} of shape {frames.shape}; give RGB frames as uint8 '
                '(T, H, W, 3)'
            )
        if not rate > 0:
            raise DataError(f'fps={rate} must be above 0')
        self.frames: np.ndarray | None = frames
        self.times = np.stack([np.arange(len(frames)), np.arange(1, len(frames) + 1)], 1) / rate

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        if self.frames is None:
            raise UnreadableVideoError('the reader was closed')
        return [self.frames[i] for i in np.ravel(indices)]

    def close(self) -> None:
        """Let the array go."""
        self.frames = None
