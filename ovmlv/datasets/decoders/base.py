"""What the samplers and transforms need from a reader, whichever library decodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovmlv.errors import UnreadableVideoError


class BaseReader:
    """An open video.

    Frames are counted in the order in which they are shown, from 0.

    Attributes:
        times: Begin and end of each frame in seconds from the start of the file ``(N, 2)``.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import BaseReader
        >>> class Grey(BaseReader):
        ...     times = np.array([[0.0, 0.25], [0.25, 0.5]])
        ...     def get_frames(self, indices):
        ...         return [np.full((32, 48, 3), 10 * i, dtype=np.uint8) for i in indices]
        >>> len(Grey()), Grey().rate, Grey().get_frames([1])[0].shape
        (2, 4.0, (32, 48, 3))
    """

    times: np.ndarray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        """Frames a second, on average; 0 if the video has no length."""
        length = self.times[-1, 1] - self.times[0, 0]
        return float(len(self) / length) if length > 0 else 0.0

    def inside(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Numbers of frames as int64 ``(n,)``.

        Raises:
            UnreadableVideoError: There is no frame of one of these numbers.
        """
        indices = np.asarray(indices, dtype=np.int64).ravel()
        outside = indices[(indices < 0) | (indices >= len(self))]
        if len(outside):
            raise UnreadableVideoError(
                f'frame {outside[0]} was asked for, but it has only {len(self)}'
            )
        return indices

    @classmethod
    def check_installed(cls) -> None:
        """Check, before any video is opened, that the library that decodes can be loaded.

        Raises:
            DependencyError: It is missing or broken; else each video would be taken for damaged.
        """

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Frames as they are to be shown: RGB uint8 ``(H, W, 3)``, in the order of ``indices``.

        Raises:
            UnreadableVideoError: A frame cannot be decoded, or only with errors.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the file. A reader that is alive when workers are forked may hang them."""
        raise NotImplementedError
