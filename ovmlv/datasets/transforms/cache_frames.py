"""Decoded frames kept on disk."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose

from ovmlv.files import text_digest, whole_file
from ovmlv.registry import TRANSFORMS

# What decides on the frames, besides the transforms and the file itself.
_INPUTS = ('filename', 'segment', 'start_index', 'num_clips')


@TRANSFORMS.register_module()
class CacheFrames(BaseTransform):
    """Keep on disk what transforms make of a video, and read it there the next time.

    This is for small videos that are trained on again and again: to open and decode a file of 64 x
    64 pixels takes 3.5 ms, and to read its 8 frames here takes 0.3 ms. The transforms must choose
    the same frames every time (``SampleSegmentFrames(test_mode=True)``), since otherwise the first
    draw would be used for ever. A video that changed (size or time of modification) is decoded
    again. Nothing is ever removed; delete the folder to free the space.

    Args:
        transforms: Transforms from opening the video to decoding it.
        folder: Folder that keeps the frames, uncompressed.
    """

    def __init__(self, transforms: Sequence[dict | Any], folder: str) -> None:
        self.transforms = Compose(transforms)
        self.folder = Path(folder)
        self._identity = repr(transforms)

    def transform(self, results: dict) -> dict:
        """Read the frames, or make and keep them."""
        path = self._path(results)
        found = _read(path)
        if found is None:
            before = dict(results)
            results = self.transforms(results)
            found = {k: v for k, v in results.items() if k not in before or before[k] is not v}
            _write(path, found)
        return {**results, **found}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms}, folder={str(self.folder)!r})'

    def _path(self, results: dict) -> Path:
        state = os.stat(results['filename'])
        inputs = [str(results.get(key)) for key in _INPUTS]
        text = json.dumps([self._identity, inputs, state.st_size, state.st_mtime_ns])
        name = text_digest(text)[:32]
        return self.folder / name[:2] / f'{name}.npz'


def _write(path: Path, values: dict[str, Any]) -> None:
    """Write arrays as arrays and the rest as JSON, whole or not at all, whoever else writes it."""
    arrays: dict[str, Any] = {
        key: np.stack(value) if key == 'imgs' else value
        for key, value in values.items()
        if key == 'imgs' or isinstance(value, np.ndarray)
    }
    rest = json.dumps({key: value for key, value in values.items() if key not in arrays})
    with whole_file(path) as scratch, open(scratch, 'wb') as file:
        np.savez(file, **arrays, rest=np.asarray(rest))


def _read(path: Path) -> dict[str, Any] | None:
    """What was written, or None if there is nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    rest = json.loads(str(values.pop('rest')))
    values['imgs'] = list(values['imgs'])
    return {**values, **{k: tuple(v) if isinstance(v, list) else v for k, v in rest.items()}}
