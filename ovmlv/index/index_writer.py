"""Writing an index: one process at a time, and no kill leaves half a video."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from ovmlv.errors import OutputError, reason_of
from ovmlv.utils.file_lock import lock_file

from .fragment import EncodedWindows, Fragment, rows_table
from .lance_tables import LanceTables, lance_errors
from .settings import IndexSettings
from .snapshot import read_rows
from .video_rows import VideoRow

LOCK = '.writer.lock'
#: How long a reader may go on with what it opened, after the rows were replaced.
_GRACE = timedelta(minutes=10)
_MANY_FILES = 64
_IN_ONE_FILTER = 5000


class IndexWriter:
    """The one process that writes; a context manager.

    Windows are written before their videos, and removed after them. What a killed writer left
    between the two is removed when the next one begins.

    Args:
        folder: Folder of the index.
        settings: Settings of the index.

    Raises:
        ConfigError: Another process writes.
    """

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        self.folder, self.settings = folder, settings
        self.rows: dict[str, VideoRow] = {}
        self._lock: IO[bytes] | None = None
        self._next = 0

    def __enter__(self) -> IndexWriter:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / LOCK, 'ab', buffering=0)
        except OSError as error:
            raise OutputError(
                f'index {self.folder} cannot be written ({reason_of(error)}); give another folder'
            ) from None
        lock_file(
            self._lock, f'another process is writing to index {self.folder}; wait for its end'
        )
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def _open(self) -> None:
        self.tables = LanceTables(self.folder, self.settings.embed_dim, create=True)
        if not (self.folder / 'index.json').is_file():
            self.settings.save(self.folder)
        self.rows = {row.path: row for row in read_rows(self.tables)}
        with lance_errors(self.folder):
            numbers = self.tables.windows.search().select(['video']).to_arrow()['video'].to_numpy()
        used = np.unique(numbers)
        known = np.array([row.id for row in self.rows.values()], np.int64)
        self._next = int(max(used.max(initial=-1), known.max(initial=-1))) + 1
        self._delete_windows(np.setdiff1d(used, known).tolist())

    def commit(self, fragment: Fragment) -> Fragment:
        """Write videos; those that the index has with the same content are left out.

        Returns:
            What was written, with the numbers of the videos.
        """
        fresh: dict[str, EncodedWindows] = {}
        for video in fragment.videos:
            if not _is_known(self.rows.get(video.row.path), video.row):
                fresh.setdefault(video.row.path, video)
        written = Fragment(tuple(fresh.values())).numbered(self._next)
        if not len(written):
            return written
        self._next += len(written)
        old = [self.rows[path].id for path in fresh if path in self.rows]
        with lance_errors(self.folder, writing=True):
            if written.num_windows:
                self.tables.windows.add(written.window_table(self.settings.embed_dim))
        self._put([video.row for video in written.videos])
        self._delete_windows(old)
        if self.tables.small_files() >= _MANY_FILES:
            self.tables.compact(_GRACE)
        return written

    def update(self, rows: Sequence[VideoRow]) -> None:
        """Write other paths and times for videos of the index, which keep their numbers."""
        if not rows:
            return
        numbers = {row.id for row in rows}
        self.rows = {path: row for path, row in self.rows.items() if row.id not in numbers}
        with lance_errors(self.folder, writing=True):
            merge = self.tables.videos.merge_insert('id')
            merge.when_matched_update_all().execute(rows_table(rows))
        self.rows.update({row.path: row for row in rows})

    def remove(self, rows: Sequence[VideoRow]) -> None:
        """Take videos out."""
        numbers = [row.id for row in rows]
        with lance_errors(self.folder, writing=True):
            for part in _parts(numbers):
                self.tables.videos.delete(f'id IN ({", ".join(map(str, part))})')
        self._delete_windows(numbers)
        for row in rows:
            self.rows.pop(row.path, None)

    def tidy(self, whole: bool = False) -> None:
        """Join small files.

        Args:
            whole: Whether to do so even for a few, and to leave no earlier version to readers.
        """
        if whole or self.tables.small_files() >= 8:
            self.tables.compact(timedelta(0) if whole else _GRACE)

    def _put(self, rows: Sequence[VideoRow]) -> None:
        """Add videos, or replace those of the same path, in one step."""
        with lance_errors(self.folder, writing=True):
            if any(row.path in self.rows for row in rows):
                merge = self.tables.videos.merge_insert('path').when_matched_update_all()
                merge.when_not_matched_insert_all().execute(rows_table(rows))
            else:
                self.tables.videos.add(rows_table(rows))
        self.rows.update({row.path: row for row in rows})

    def _delete_windows(self, numbers: Sequence[int]) -> None:
        with lance_errors(self.folder, writing=True):
            for part in _parts(numbers):
                self.tables.windows.delete(f'video IN ({", ".join(map(str, part))})')


def _is_known(before: VideoRow | None, now: VideoRow) -> bool:
    if before is None or before.error is not None or now.error is not None:
        return False
    return (before.digest, before.windows) == (now.digest, now.windows)


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[i : i + _IN_ONE_FILTER] for i in range(0, len(numbers), _IN_ONE_FILTER)]
