"""Bringing an index up to date with files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from ovmlv.apis import find_videos
from ovmlv.results import Timings

from .encoding_engine import EncodedPart, EncodingEngine, EncodingJob
from .fragment import EncodedWindows, Fragment
from .fragment_folder import FragmentFolder
from .index_writer import IndexWriter
from .lance_tables import has_tables
from .reports import AddReport
from .settings import IndexSettings
from .shard import Shard
from .snapshot import Snapshot
from .video_rows import Changes, VideoRow, compare

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
    job: EncodingJob,
    engine: EncodingEngine,
    inputs: str | Path | Iterable[str | Path],
    *,
    keep_gone: bool = False,
    retry: bool = False,
    commit_seconds: float = 10.0,
    progress: bool = False,
) -> AddReport:
    """See :meth:`~ovmlv.index.VideoIndex.add`."""
    files, folders = files_and_folders(inputs)
    report = AddReport()
    with IndexWriter(job.folder, job.settings) as writer:
        taken = _take_fragments(writer, report)
        changes = compare(writer.rows, files, folders, retry)
        _take_over(writer, changes, report, taken, keep_gone)
        pending = _Pending(writer.commit, report, commit_seconds)
        pending.take_all(engine.encode(changes.new, job), len(changes.new), progress)
        if changes.new or changes.gone or taken:
            writer.tidy()
    return report


def add_shard(
    job: EncodingJob,
    engine: EncodingEngine,
    inputs: str | Path | Iterable[str | Path],
    shard: Shard,
    *,
    retry: bool = False,
    commit_seconds: float = 10.0,
    progress: bool = False,
) -> AddReport:
    """Encode a part of the files into fragments, which :func:`merge_fragments` takes in.

    Nothing of the index is written, so any number of these may run at the same time. What needs no
    decoding (files that moved or are gone) is left to the next call without a part.
    """
    files, _ = files_and_folders(inputs)
    report = AddReport()
    waiting = FragmentFolder(job.folder, job.settings)
    known = {}
    if has_tables(job.folder):
        known = {row.path: row for row in Snapshot(job.folder, job.settings, 0).rows}
    for path, row in waiting.rows().items():
        if row.error is None or path not in known or known[path].error is not None:
            known[path] = row
    changes = compare(known, shard.files(files), (), retry)
    _count(changes, report, frozenset())
    pending = _Pending(lambda part: _written(waiting, part), report, commit_seconds)
    pending.take_all(engine.encode(changes.new, job), len(changes.new), progress)
    return report


def merge_fragments(folder: Path, settings: IndexSettings) -> AddReport:
    """Take in what other processes encoded; see :meth:`~ovmlv.index.VideoIndex.merge`."""
    report = AddReport()
    with IndexWriter(folder, settings) as writer:
        if _take_fragments(writer, report):
            writer.tidy()
    return report


def _written(waiting: FragmentFolder, fragment: Fragment) -> Fragment:
    waiting.write(fragment)
    return fragment


def _take_fragments(writer: IndexWriter, report: AddReport) -> set[str]:
    """Commit the fragments that wait in the folder, and give the paths of their good videos."""
    waiting = FragmentFolder(writer.folder, writer.settings)
    found = AddReport()
    pending = _Pending(writer.commit, found, float('inf'))
    taken: set[str] = set()
    for path in waiting.files():
        try:
            videos = waiting.read(path).videos
        except FileNotFoundError:  # of a writer on a file system without locks
            continue
        fresh = tuple(video for video in videos if _is_wanted(video.row, writer.rows))
        taken.update(video.row.path for video in fresh if video.row.error is None)
        pending.take(EncodedPart(fresh, Timings(0, 0), path))
    pending.write()
    waiting.tidy()
    report.merged, report.windows = found.encoded, found.windows
    report.unread.update(found.unread)
    return taken


def _is_wanted(row: VideoRow, known: dict[str, VideoRow]) -> bool:
    """Whether a video of a fragment is newer or better than what the index has.

    A fragment may have waited for long. If the file was changed since, the next call reads it; if
    it is gone or out of sight, the fragment counts, unless the index has the video already.
    """
    before = known.get(row.path)
    good = before is not None and before.error is None
    try:
        status = os.stat(row.path)
    except OSError:
        return not good
    if not row.is_of(status):
        return False
    return not (good and row.error is not None and before is not None and before.is_of(status))


def _take_over(
    writer: IndexWriter, changes: Changes, report: AddReport, taken: set[str], keep_gone: bool
) -> None:
    """Write all that needs no decoding."""
    _count(changes, report, taken)
    report.moved = len(changes.moved)
    report.unchanged += len(changes.touched)
    if not keep_gone:
        report.removed = len(changes.gone)
        writer.remove(changes.gone)
    writer.update([*changes.moved, *changes.touched])


def _count(changes: Changes, report: AddReport, taken: set[str] | frozenset[str]) -> None:
    """What is known of files before any is read."""
    report.changed = changes.changed
    good = [row for row in changes.same if row.error is None]
    report.unchanged = sum(row.path not in taken for row in good)
    report.unread.update(changes.unusable)
    report.unread.update({row.path: row.error for row in changes.same if row.error is not None})


class _Pending:
    """Encoded videos that are not written yet."""

    def __init__(
        self, commit: Callable[[Fragment], Fragment], report: AddReport, seconds: float
    ) -> None:
        self.commit, self.report, self.seconds = commit, report, seconds
        self._videos: list[EncodedWindows] = []
        self._files: list[Path] = []
        self._windows, self._since = 0, time.monotonic()

    def take_all(self, parts: Iterator[EncodedPart], count: int, progress: bool) -> None:
        """Take and write all that an engine encodes of ``count`` videos."""
        bar = tqdm(total=count, unit='video', disable=None if progress and count else True)
        try:
            with bar:
                for part in parts:
                    self.report.decode_seconds += part.timings.decode
                    self.report.encode_seconds += part.timings.encode
                    self.take(part)
                    bar.update(len(part.videos))
        except KeyboardInterrupt:
            self.write()
            raise
        self.write()

    def take(self, part: EncodedPart) -> None:
        """Add videos, and write if it is time."""
        self._videos += part.videos
        self._files += [] if part.file is None else [part.file]
        self._windows += sum(len(video.starts) for video in part.videos)
        late = time.monotonic() - self._since >= self.seconds
        if late or self._windows >= _WINDOWS_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what is there; files of fragments go when their videos are written."""
        started = time.perf_counter()
        written: Sequence[EncodedWindows] = ()
        if self._videos:
            # Of a good and a bad reading of one file, the first counts.
            videos = sorted(self._videos, key=lambda video: video.row.error is not None)
            written = self.commit(Fragment(tuple(videos))).videos
        for path in self._files:
            path.unlink(missing_ok=True)
        report = self.report
        report.write_seconds += time.perf_counter() - started
        for video in written:
            if video.row.error is not None:
                report.unread[video.row.path] = video.row.error
                continue
            report.encoded += 1
            report.windows += len(video.starts)
            report.video_seconds += video.row.duration or 0.0
        self._videos, self._files = [], []
        self._windows, self._since = 0, time.monotonic()
