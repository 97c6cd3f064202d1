"""The forms in which the inferencer takes a video."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ovmlv.errors import DataError

from .video_files import find_videos
from .video_reader import ClipSource, VideoSource

_BYTES = (bytes, bytearray, memoryview)
_KINDS = 'a path, a binary file object or its bytes, or RGB frames as uint8 (T, H, W, 3)'


class UnusableSource(DataError):
    """An entry that is not a video.

    Attributes:
        name: Name of the entry in results.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


def single_videos(inputs: Any, report: bool = False) -> Iterable[VideoSource | UnusableSource]:
    """Yield each single video of what a user gives; a generator is read one entry at a time.

    Args:
        inputs: A source, or several. Folders and patterns are expanded.
        report: Whether to yield an :class:`UnusableSource` in place of an entry that cannot be
            used, so that it is reported with the other results.

    Raises:
        DataError: An entry is not a video, or is a folder without videos.
        FileNotFoundError: No file fits a pattern.
    """
    if _is_single(inputs):
        inputs = [inputs]
    elif isinstance(inputs, Mapping) or not isinstance(inputs, Iterable):
        raise DataError(f'{_kind(inputs)} is no video; give {_KINDS}, or a list of these')
    found = (video for entry in inputs for video in _expand(entry, report))
    return found if isinstance(inputs, Iterator) else list(found)


def as_source(entry: Any) -> VideoSource:
    """An entry in one of the forms that the reader takes.

    Raises:
        UnusableSource: The entry is not a video.
    """
    if isinstance(entry, os.PathLike):
        entry = os.fspath(entry)
    if isinstance(entry, str):
        return Path(entry)
    if isinstance(entry, _BYTES):
        return io.BytesIO(entry)
    if isinstance(entry, Tensor):
        entry = entry.detach().cpu().numpy()
    if isinstance(entry, (np.ndarray, ClipSource)) or hasattr(entry, 'read'):
        return entry
    raise UnusableSource(_kind(entry), f'{_kind(entry)} is no video; give {_KINDS}')


def _expand(entry: Any, report: bool) -> Iterator[VideoSource | UnusableSource]:
    try:
        source = as_source(entry)
        yield from (find_videos(source) if isinstance(source, Path) else [source])
    except (DataError, FileNotFoundError) as error:
        if not report:
            raise
        name = error.name if isinstance(error, UnusableSource) else str(entry)
        yield UnusableSource(name, str(error))


def _is_single(inputs: Any) -> bool:
    kinds = (str, os.PathLike, np.ndarray, Tensor, *_BYTES)
    return isinstance(inputs, kinds) or hasattr(inputs, 'read') or _is_picture(inputs)


def _is_picture(value: Any) -> bool:
    return type(value).__module__.startswith('PIL.')


def _kind(value: Any) -> str:
    if _is_picture(value):
        return 'a single picture (PIL)'
    return 'None' if value is None else f'an object of type {type(value).__name__}'
