"""Frames by decord."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ovmlv.errors import DependencyError, UnreadableVideoError

from .base import BaseReader
from .plain_source import plain_source
from .pyav_reader import PyAVReader


class DecordReader(BaseReader):
    """A video read by decord, refused where decord 0.6.0 can be seen to be wrong.

    It is refused if decord gives other frames or times than PyAV finds (AVI with B-frames, edit
    lists), and for small pictures whose rows decord takes for four channels (widths of 16, 24 and
    48). decord cannot read AV1. After it goes to a key frame, it gives wrong frames of many codecs
    with B-frames or open groups of pictures. This cannot be noticed, so frames are read one after
    the other from the first. MPEG transport streams are wrong even then and are refused. Prefer
    ``pyav``.

    decord's FFmpeg opens the files that playlists name and takes ``http:x`` in a name for an
    address, so it gets only absolute paths, of files that PyAV takes for a plain container.

    Args:
        source: Path, or content of the file.
        num_threads: Threads of the decoder.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import DecordReader
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 64, 3), dtype=np.uint8), fps=4)
        ...     reader = DecordReader(f'{root}/a.mp4')
        ...     len(reader), reader.rate, [frame.shape for frame in reader.get_frames([5])]
        ...     reader.close()
        (6, 4.0, [(32, 64, 3)])
    """

    def __init__(self, source: str | Path | bytes, num_threads: int = 1) -> None:
        self.check_installed()
        import decord

        given = plain_source(source, 'decord')
        self._open = lambda: decord.VideoReader(
            io.BytesIO(given) if isinstance(given, bytes) else given, num_threads=num_threads
        )
        self.reader, self._next = self._open(), 0
        times = np.asarray(self.reader.get_frame_timestamp(range(len(self.reader))))
        self.times = times.astype(np.float64).reshape(-1, 2)
        if not len(self.times):
            raise UnreadableVideoError('its video stream holds no frame')
        if (np.diff(self.times[:, 0]) <= 0).any() or np.abs(self.times).max() > 1e9:
            raise UnreadableVideoError(
                "decord gives time stamps that do not increase; use backend='pyav'"
            )
        plain = PyAVReader(given, truncated='use')
        plain.close()
        begins, step = plain.times[:, 0], np.diff(plain.times, axis=1).min()
        if len(begins) != len(times) or np.abs(begins - self.times[:, 0]).max() > step / 2 + 1e-3:
            raise UnreadableVideoError(
                "decord gives other frames than a plain decode; use backend='pyav'"
            )

    @classmethod
    def check_installed(cls) -> None:
        """See :class:`BaseReader`."""
        try:
            import decord  # noqa: F401
        except ImportError:
            raise DependencyError('decord is not installed: pip install decord') from None

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        if self.reader is None:
            raise UnreadableVideoError('the reader was closed')
        indices = self.inside(indices).tolist()
        wanted = set(indices)
        found: dict[int, np.ndarray] = {}
        if min(wanted, default=0) < self._next:
            self.reader, self._next = self._open(), 0
        while len(found) < len(wanted):
            try:
                frame = self.reader.next().asnumpy()
            except StopIteration:
                raise UnreadableVideoError(
                    f'damaged: frame {self._next} cannot be decoded'
                ) from None
            if self._next in wanted:
                if frame.shape[-1] != 3:
                    raise UnreadableVideoError(
                        f"decord gives {frame.shape[-1]} channels; use backend='pyav'"
                    )
                found[self._next] = frame
            self._next += 1
        return [found[i] for i in indices]

    def close(self) -> None:
        """Let the reader go."""
        self.reader = None
