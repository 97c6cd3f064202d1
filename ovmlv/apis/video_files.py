"""Which video files are meant by a path, a folder or a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ovmlv.errors import DataError

#: Endings that are taken for videos in folders; files that are named outright may have any.
VIDEO_SUFFIXES = frozenset(
    '.3gp .avi .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .vob .webm .wmv'.split()
)


def find_videos(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Video files, each once.

    Args:
        inputs: Paths of files, folders (searched with all below them, in alphabetical order; hidden
            files are left out) and patterns such as ``clips/*.mp4`` or ``clips/**/*.mkv``. Files
            that are named outright need not exist: what reads them tells.

    Raises:
        FileNotFoundError: Nothing fits a pattern.
        DataError: A folder holds no video, or an address is given.
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
    if '://' in str(entry):
        raise DataError(f'{entry} is an address; download the video and give its path')
    path = Path(entry).expanduser()
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
    matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    matches = [match for match in matches if match.is_file()]
    if not matches:
        raise FileNotFoundError(f'no file fits {entry}; correct the pattern')
    return matches


def _in_folder(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        found += [
            Path(parent, name)
            for name in files
            if not name.startswith('.') and Path(name).suffix.lower() in VIDEO_SUFFIXES
        ]
    return sorted(found)
