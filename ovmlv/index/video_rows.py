"""The videos of an index, and how the files of today differ from them."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ovmlv.errors import DataError, reason_of
from ovmlv.files import file_digest

_HASH = functools.partial(hashlib.blake2b, digest_size=16)


@dataclass(frozen=True)
class VideoRow:
    """A file that an index knows.

    Attributes:
        path: Absolute path.
        size: Bytes.
        mtime_ns: Time of its last change, in nanoseconds.
        digest: Hash of its content (BLAKE2b of 16 bytes); empty for a bad file.
        duration: Length in seconds; None if the decoder does not give it.
        fps: Frames a second; None if the decoder does not give them.
        windows: Number of its windows; 0 for a bad file.
        error: Why it could not be read, in one line; None for a good file.
        id: Its number in the index; -1 until it is written.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str = ''
    duration: float | None = None
    fps: float | None = None
    windows: int = 0
    error: str | None = None
    id: int = -1

    def is_of(self, status: os.stat_result) -> bool:
        """Whether a file has the size and time of change that this row knows."""
        return (self.size, self.mtime_ns) == (status.st_size, status.st_mtime_ns)


def look_at(path: str | Path) -> VideoRow:
    """A row for a file as it is now, without its content.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It is no file, or its name cannot be stored.
    """
    name = os.path.abspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f'video {name!a} has a name that is no UTF-8; rename it') from None
    try:
        status = os.stat(name)
    except FileNotFoundError:
        raise FileNotFoundError(f'video {path} not found; give the path of a video file') from None
    except (OSError, ValueError) as error:
        raise DataError(f'video {path} cannot be looked at ({reason_of(error)})') from None
    if not os.path.isfile(name):
        raise DataError(f'video {path} is no regular file; give the path of a video file')
    return VideoRow(name, status.st_size, status.st_mtime_ns)


def content_digest(path: str) -> str:
    """Hash of a file's content.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return file_digest(path, _HASH)
    except OSError as error:
        raise DataError(
            f'video {path} cannot be read ({reason_of(error)}); repair or remove it'
        ) from None


@dataclass
class Changes:
    """How files differ from an index.

    Attributes:
        new: Files that the index does not know, or knows with other content.
        changed: How many of ``new`` are known with other content.
        same: Files that are as the index knows them.
        touched: Rows of files whose time of change is another, and their content is not.
        moved: Rows of good files that the index knows under a path that is gone, with the new path.
        gone: Rows of files that no longer exist.
        unusable: Path and reason of what cannot be looked at.
    """

    new: list[VideoRow] = field(default_factory=list)
    changed: int = 0
    same: list[VideoRow] = field(default_factory=list)
    touched: list[VideoRow] = field(default_factory=list)
    moved: list[VideoRow] = field(default_factory=list)
    gone: list[VideoRow] = field(default_factory=list)
    unusable: list[tuple[str, str]] = field(default_factory=list)


def compare(
    known: Mapping[str, VideoRow],
    files: Iterable[str | Path],
    folders: Iterable[str | Path] = (),
    retry: bool = False,
    content: bool = True,
) -> Changes:
    """Compare files with an index. Content is read only where size or time of change differ.

    Args:
        known: Absolute path -> row.
        files: Video files that shall be in the index.
        folders: Folders that ``files`` were found in: rows below them without a file are gone.
        retry: Whether bad files count as new, though they are as they were.
        content: Whether to read content, for ``touched`` and ``moved``; without, both count as new.
    """
    found = Changes()
    seen: set[str] = set()
    roots = [os.path.join(os.path.abspath(folder), '') for folder in folders]
    fresh: list[VideoRow] = []
    for file in files:
        try:
            now = look_at(file)
        except (DataError, FileNotFoundError) as error:
            found.unusable.append((str(file), str(error)))
            continue
        if now.path in seen:
            continue
        seen.add(now.path)
        before = known.get(now.path)
        if before is None:
            fresh.append(now)
        elif (before.size, before.mtime_ns) == (now.size, now.mtime_ns):
            again = retry and before.error is not None
            (found.new if again else found.same).append(now if again else before)
        else:
            _add_other(found, before, now, content)
    found.gone = [
        row
        for path, row in known.items()
        if path not in seen and any(path.startswith(root) for root in roots)
        and not os.path.exists(path)
    ]  # fmt: skip
    _find_moved(found, known, fresh, content)
    return found


def _add_other(found: Changes, before: VideoRow, now: VideoRow, content: bool) -> None:
    """A known file with another size or time of change."""
    if content and before.digest and before.size == now.size:
        try:
            if content_digest(now.path) == before.digest:
                found.touched.append(replace(before, mtime_ns=now.mtime_ns))
                return
        except DataError:  # whoever reads it next says why
            pass
    found.new.append(now)
    found.changed += 1


def _find_moved(
    found: Changes, known: Mapping[str, VideoRow], fresh: list[VideoRow], content: bool
) -> None:
    """Sort files with unknown paths into moved and new ones."""
    lost: dict[int, dict[str, VideoRow]] = {}
    if content and fresh:
        for path, row in known.items():
            if row.digest and not os.path.exists(path):
                lost.setdefault(row.size, {})[row.digest] = row
    for now in fresh:
        candidates = lost.get(now.size)
        old = None
        if candidates:
            try:
                old = candidates.pop(content_digest(now.path), None)
            except DataError:
                old = None
        if old is None:
            found.new.append(now)
        else:
            found.moved.append(replace(old, path=now.path, mtime_ns=now.mtime_ns))
    moved = {row.id for row in found.moved}
    found.gone = [row for row in found.gone if row.id not in moved]
