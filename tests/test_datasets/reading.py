"""What the tests of the readers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ovmlv.registry import DATASETS


def build(kind: str, root: Path, **kwargs: Any):
    """A data set without a pipeline: it reads annotations alone.

    Not serialised, for mmengine then collects the garbage of the whole process.
    """
    kwargs = dict(serialize_data=False, **kwargs)
    return DATASETS.build(dict(type=kind, data_root=str(root), **kwargs))


def samples(dataset) -> list[dict]:
    """All samples before the pipeline, with ``labels`` and ``unknown`` as names and the path
    relative to the video folder."""
    classes = dataset.metainfo['classes']
    found = []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        prefix = dataset.data_prefix.get('video', '')
        info['path'] = info['filename'][len(prefix) :].lstrip('/')
        for name, value in (('labels', 1), ('unknown', -1)):
            info[name] = [c for c, v in zip(classes, info['label'], strict=True) if v == value]
        found.append(info)
    return found


def short(dataset) -> list[tuple]:
    """Path and positive labels of each sample."""
    return [(s['path'], *s['labels']) for s in samples(dataset)]


def write(path: Path, *lines: str, end: str = '\n', last: bool = True) -> Path:
    """A text file with these line ends; ``last``: also after the last line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + (end if last else '')).encode())
    return path
