"""Bringing an index up to date with files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from ovmlv.apis import OVMLVInferencer, find_videos

from .fragment import EncodedWindows, Fragment
from .index_writer import IndexWriter
from .reports import AddReport
from .settings import IndexSettings
from .video_encoding import encode_rows
from .video_rows import Changes, compare

#: What is encoded is written after so many windows, or after ``commit_seconds``.
_WINDOWS_AT_ONCE = 8192


def files_and_folders(
    inputs: str | Path | Iterable[str | Path],
) -> tuple[list[Path], list[str | Path]]:
    """Video files, and the folders that were searched for them.

    Args:
        inputs: See :func:`~ovmlv.apis.find_videos`.
    """
    entries = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    return find_videos(entries), [entry for entry in entries if os.path.isdir(entry)]


def add_videos(
    folder: Path,
    settings: IndexSettings,
    inferencer: OVMLVInferencer,
    inputs: str | Path | Iterable[str | Path],
    *,
    keep_gone: bool = False,
    retry: bool = False,
    batch_size: int | None = None,
    commit_seconds: float = 10.0,
    progress: bool = False,
) -> AddReport:
    """See :meth:`~ovmlv.index.VideoIndex.add`."""
    files, folders = files_and_folders(inputs)
    report = AddReport()
    with IndexWriter(folder, settings) as writer:
        changes = compare(writer.rows, files, folders, retry)
        _take_over(writer, changes, report, keep_gone)
        pending = _Pending(writer, report, commit_seconds)
        rows = encode_rows(
            inferencer, changes.new, settings.reading, settings.thumbnail, batch_size
        )
        bar = tqdm(
            total=len(files),
            initial=len(files) - len(changes.new),
            unit='video',
            disable=None if progress and changes.new else True,
        )
        try:
            with bar:
                for video, timings in rows:
                    report.decode_seconds += timings.decode
                    report.encode_seconds += timings.encode
                    pending.take(video)
                    bar.update()
        except KeyboardInterrupt:
            pending.write()
            raise
        pending.write()
        if changes.new or changes.gone:
            writer.tidy()
    return report


def _take_over(writer: IndexWriter, changes: Changes, report: AddReport, keep_gone: bool) -> None:
    """Write all that needs no decoding."""
    report.changed, report.moved = changes.changed, len(changes.moved)
    report.unchanged = len(changes.touched) + sum(row.error is None for row in changes.same)
    report.unread.update(changes.unusable)
    report.unread.update({row.path: row.error for row in changes.same if row.error is not None})
    if not keep_gone:
        report.removed = len(changes.gone)
        writer.remove(changes.gone)
    writer.update([*changes.moved, *changes.touched])


class _Pending:
    """Encoded videos that are not written yet."""

    def __init__(self, writer: IndexWriter, report: AddReport, seconds: float) -> None:
        self.writer, self.report, self.seconds = writer, report, seconds
        self._videos: list[EncodedWindows] = []
        self._windows, self._since = 0, time.monotonic()

    def take(self, video: EncodedWindows) -> None:
        """Add a video, and write if it is time."""
        self._videos.append(video)
        self._windows += len(video.starts)
        late = time.monotonic() - self._since >= self.seconds
        if late or self._windows >= _WINDOWS_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what is there."""
        started = time.perf_counter()
        written: Sequence[EncodedWindows] = ()
        if self._videos:
            written = self.writer.commit(Fragment(tuple(self._videos))).videos
        report = self.report
        report.write_seconds += time.perf_counter() - started
        for video in written:
            if video.row.error is not None:
                report.unread[video.row.path] = video.row.error
                continue
            report.encoded += 1
            report.windows += len(video.starts)
            report.video_seconds += video.row.duration or 0.0
        self._videos, self._windows, self._since = [], 0, time.monotonic()
