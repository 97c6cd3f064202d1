"""Encoded videos on their way into an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .lance_tables import arrow, videos_schema, windows_schema
from .video_rows import VideoRow

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class EncodedWindows:
    """The windows of one video.

    Attributes:
        row: The video, without a number yet. A bad file has no windows.
        starts: Begin of each of N windows in seconds, float64 ``(N,)``; NaN if it is not known.
        ends: End of each, float64 ``(N,)``; NaN if it is not known.
        embeddings: float16 ``(N, E)``.
        thumbnails: N JPEG files; None where there is none.
    """

    row: VideoRow
    starts: np.ndarray
    ends: np.ndarray
    embeddings: np.ndarray
    thumbnails: Sequence[bytes | None]

    @classmethod
    def bad(cls, row: VideoRow, error: str, embed_dim: int) -> EncodedWindows:
        """A file that could not be read."""
        none = np.empty(0)
        row = replace(row, error=error, windows=0)
        return cls(row, none, none, np.empty((0, embed_dim), np.float16), ())


@dataclass(frozen=True, eq=False)
class Fragment:
    """Whole videos that are committed together.

    Whoever encodes makes fragments, whoever holds the lock of the index commits them. A fragment
    may be committed twice: what the index has already is left out. So it does not matter if a
    worker does a part of the work again.

    Attributes:
        videos: The videos.
    """

    videos: tuple[EncodedWindows, ...]

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def num_windows(self) -> int:
        """Windows of all videos."""
        return sum(len(video.starts) for video in self.videos)

    def numbered(self, first: int) -> Fragment:
        """The same videos, with numbers from ``first`` on."""
        rows = [replace(video.row, id=first + i) for i, video in enumerate(self.videos)]
        pairs = zip(self.videos, rows, strict=True)
        return Fragment(tuple(replace(video, row=row) for video, row in pairs))

    def video_table(self) -> pa.Table:
        """The rows of the table of videos."""
        return rows_table([video.row for video in self.videos])

    def window_table(self, embed_dim: int) -> pa.Table:
        """The rows of the table of windows."""
        pa = arrow()
        if not self.num_windows:
            return windows_schema(embed_dim).empty_table()
        counts = [len(video.starts) for video in self.videos]
        vectors = np.concatenate([video.embeddings for video in self.videos])
        times = (
            np.concatenate([video.starts for video in self.videos]),
            np.concatenate([video.ends for video in self.videos]),
        )
        columns = [
            pa.array(np.repeat([video.row.id for video in self.videos], counts).astype(np.int64)),
            *(pa.array(values, pa.float64(), from_pandas=True) for values in times),
            pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(vectors, np.float16).ravel()), embed_dim
            ),
            pa.array([jpeg for v in self.videos for jpeg in v.thumbnails], pa.binary()),
        ]
        return pa.table(columns, schema=windows_schema(embed_dim))


def rows_table(rows: Sequence[VideoRow]) -> pa.Table:
    """Rows of the table of videos."""
    pa = arrow()
    schema = videos_schema()
    columns = [pa.array([getattr(row, f.name) for row in rows], f.type) for f in schema]
    return pa.table(columns, schema=schema)
