"""What an index held at one moment, for questions while others write."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ovmlv.errors import DataError

from .lance_tables import LanceTables, lance_errors
from .settings import FILE, IndexSettings
from .video_rows import VideoRow

#: Rows that are read from disk at once, and those that are compared with labels at once: of 512
#: numbers these fit into a processor's cache.
_READ, CHUNK = 65536, 8192


def read_rows(tables: LanceTables) -> list[VideoRow]:
    """All rows of the table of videos."""
    names = list(VideoRow.__dataclass_fields__)
    with lance_errors(tables.folder):
        table = tables.videos.search().select(names).to_arrow()
    return [VideoRow(**row) for row in table.select(names).to_pylist()]


class Snapshot:
    """The videos and windows of an index at the time when it was opened.

    Args:
        folder: Folder of the index.
        settings: Settings of the index.
        memory: Bytes of embeddings that are kept in memory. A larger index is read from disk for
            every question.

    Attributes:
        rows: All files, in the order of their numbers; bad ones as well.
        videos: V good videos; positions in this list stand for videos below.
        video: Position of the video of each of N windows, int64 ``(N,)``.
        starts: Begin of each window in seconds, float64 ``(N,)``; NaN if it is not known.
        ends: End of each window, float64 ``(N,)``.
    """

    def __init__(self, folder: Path, settings: IndexSettings, memory: int = 2_000_000_000) -> None:
        self.folder, self.embed_dim, self.memory = folder, settings.embed_dim, memory
        self._file = _file_state(folder)
        self.tables = LanceTables(folder, settings.embed_dim)
        self._versions = self.tables.versions
        self.rows = sorted(read_rows(self.tables), key=lambda row: row.id)
        self.videos = [row for row in self.rows if row.error is None]
        with lance_errors(folder):
            query = self.tables.windows.search().select(['video', 'start', 'end'])
            table = query.with_row_id(True).to_arrow()
            columns = {
                name: np.asarray(table[name].to_numpy()) for name in ('video', 'start', 'end')
            }
            row_ids = np.asarray(table['_rowid'].to_numpy())
        numbers = np.array([row.id for row in self.videos], np.int64)
        at = np.searchsorted(numbers, columns['video'])
        known = np.append(numbers, -1)[at] == columns['video']
        # Rows that a killed writer left, or that another one is writing, belong to no video.
        self._kept = None if known.all() else np.flatnonzero(known)
        keep = slice(None) if self._kept is None else self._kept
        self.video, self.starts, self.ends = at[keep], columns['start'][keep], columns['end'][keep]
        self._row_ids = row_ids[keep]
        self._total = len(known)

    def __len__(self) -> int:
        return len(self.video)

    def is_current(self) -> bool:
        """Whether nothing has been written since. It takes some milliseconds."""
        if _file_state(self.folder) != self._file:  # another index, perhaps of another size
            return False
        return LanceTables(self.folder, self.embed_dim).versions == self._versions

    @functools.cached_property
    def place(self) -> dict[str, int]:
        """Absolute path -> position of the video."""
        return {row.path: i for i, row in enumerate(self.videos)}

    @functools.cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """Windows in the order of videos and times, and where each video begins in it."""
        order = np.lexsort((self.starts, self.video))
        return order, np.searchsorted(self.video[order], np.arange(len(self.videos) + 1))

    def windows_of(self, video: int) -> np.ndarray:
        """Windows of a video, in the order of time."""
        order, bounds = self._order
        return order[bounds[video] : bounds[video + 1]]

    @functools.cached_property
    def _matrix(self) -> np.ndarray | None:
        """All embeddings, float16 ``(N, E)``, if the memory allows."""
        if len(self) * self.embed_dim * 2 > self.memory:
            return None
        matrix = np.empty((len(self), self.embed_dim), np.float16)
        start = 0
        for part in self._read():
            matrix[start : start + len(part)] = part
            start += len(part)
        return matrix

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """First window and embeddings, float16 ``(n, E)``, of all windows, part by part."""
        parts = self._read() if self._matrix is None else [self._matrix]
        start = 0
        for part in parts:
            for at in range(0, len(part), CHUNK):
                yield start + at, part[at : at + CHUNK]
            start += len(part)

    def embeddings(self, windows: np.ndarray) -> np.ndarray:
        """Embeddings of some windows, float16 ``(n, E)``, in the order that is asked for."""
        if self._matrix is not None:
            return self._matrix[windows]
        offsets = windows if self._kept is None else self._kept[windows]
        return self._take('embedding', offsets)

    def thumbnails(self, windows: np.ndarray) -> list[bytes | None]:
        """JPEG files of some windows; None where there is none."""
        offsets = windows if self._kept is None else self._kept[windows]
        return list(self._take('thumbnail', offsets))

    def windows_at(self, row_ids: np.ndarray) -> np.ndarray:
        """Windows by the library's numbers of their rows; others than those here are left out."""
        order = self._order_of_row_ids
        at = np.searchsorted(self._row_ids, row_ids, sorter=order)
        at = order[np.minimum(at, len(order) - 1)] if len(order) else at[:0]
        return at[self._row_ids[at] == row_ids] if len(at) else at

    @functools.cached_property
    def _order_of_row_ids(self) -> np.ndarray:
        return np.argsort(self._row_ids, kind='stable')

    def _take(self, column: str, offsets: np.ndarray) -> np.ndarray:
        """Values of a column; the library gives rows in their own order, each once."""
        unique, inverse = np.unique(offsets, return_inverse=True)
        if not len(unique):
            return np.empty((0, self.embed_dim), np.float16)
        with lance_errors(self.folder):
            query = self.tables.windows.take_offsets(unique.tolist()).select([column])
            values = query.to_arrow()[column].combine_chunks()
        if column == 'embedding':
            found = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.embed_dim)
        else:
            found = np.array([*values.to_pylist(), None], object)[:-1]
        if len(found) != len(unique):
            raise DataError(f'index {self.folder} lacks rows; open it again')
        return found[inverse]

    def _read(self) -> Iterator[np.ndarray]:
        """All embeddings from disk, part by part."""
        start = 0
        with lance_errors(self.folder):
            for batch in self.tables.windows.search().select(['embedding']).to_batches(_READ):
                values = batch.column(0).flatten().to_numpy(zero_copy_only=False)
                part = values.reshape(-1, self.embed_dim)
                stop = start + len(part)
                if self._kept is not None:
                    low, high = np.searchsorted(self._kept, [start, stop])
                    part = part[self._kept[low:high] - start]
                start = stop
                yield part
        if start != self._total:
            raise DataError(f'index {self.folder} has {start} windows, not {self._total}; make it '
                            'again')  # fmt: skip


def _file_state(folder: Path) -> tuple[int, int] | None:
    """What tells one file of settings from another that took its place."""
    try:
        status = (folder / FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
