"""The video files that a path, a folder or a pattern stands for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ovmlv.datasets.video_names import SUFFIXES
from ovmlv.errors import DataError

#: Endings that are taken for videos in folders; files that are named outright may have any.
VIDEO_SUFFIXES = frozenset([*SUFFIXES, '.gif', '.vob'])


def find_videos(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Video files, each once.

    Args:
        inputs: Paths of files, folders (searched with all below them, in alphabetical order; hidden
            files are left out) and patterns such as ``clips/*.mp4`` or ``clips/**/*.mkv``. A file
            that is named itself need not exist; whatever reads it raises the error.

    Raises:
        FileNotFoundError: No file fits a pattern.
        DataError: A folder holds no video, or an address is given.

    Examples:
        >>> import pathlib
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('b.mp4', 'a.mkv', 'notes.txt'):
        ...         pathlib.Path(folder, name).touch()
        ...     print([path.name for path in find_videos(folder)])
        ['a.mkv', 'b.mp4']
    """
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    found: dict[Path, None] = {}
    for entry in inputs:
        found.update(dict.fromkeys(_expand(entry)))
    return list(found)


def _expand(entry: str | Path) -> list[Path]:
    if not isinstance(entry, (str, Path)):
        raise TypeError(f'{type(entry).__name__} is no path; give paths of videos or folders')
    path = _existing_first(entry)
    if path.is_dir():
        videos = _in_folder(path)
        if not videos:
            raise DataError(
                f'folder {entry} holds no video (none of {len(VIDEO_SUFFIXES)} endings such as '
                '.mp4); name the files'
            )
        return videos
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    matches = [Path(name) for name in sorted(glob.glob(_pattern(path), recursive=True))]
    matches = [match for match in matches if match.is_file()]
    if not matches and '*' not in str(path):
        return [path]  # brackets and question marks also stand in names of files
    if not matches:
        raise FileNotFoundError(f'no file fits {entry}; correct the pattern')
    return matches


def _existing_first(entry: str | Path) -> Path:
    """The path; a text like an address or a home folder may also be the name of a file."""
    if not str(entry):
        raise DataError('an empty text is no path; give "." for the current folder')
    path = Path(entry)
    if path.exists():
        return path
    if '://' in str(entry):
        raise DataError(f'{entry} is an address; download the video and give its path')
    try:
        return path.expanduser()
    except RuntimeError:  # "~name" of no user
        return path


def _pattern(path: Path) -> str:
    """A pattern in which existing folders stand for themselves, whatever signs their names have."""
    prefix, parts = Path(path.anchor), [path.anchor]
    for part in path.parts[bool(path.anchor) :]:
        prefix /= part
        parts.append(glob.escape(part) if prefix.exists() else part)
    return os.path.join(*parts)


def _in_folder(folder: Path) -> list[Path]:
    """Videos below a folder, in linked folders as well; each folder once, by its own name first."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [str(folder)]
    while waiting:
        for parent, folders, files in os.walk(waiting.pop(0), onerror=_refuse):
            status = os.stat(parent)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith('.'))
            waiting += [link for name in folders if os.path.islink(link := f'{parent}/{name}')]
            found += [
                Path(parent, name)
                for name in files
                if not name.startswith('.') and Path(name).suffix.lower() in VIDEO_SUFFIXES
            ]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise DataError(
        f'folder {error.filename} cannot be read ({error.strerror}); name the videos one by one'
    )
