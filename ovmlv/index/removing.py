"""Taking videos out of an index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ovmlv.errors import DataError

from .index_questions import is_below
from .index_writer import IndexWriter
from .settings import IndexSettings


def remove_videos(
    folder: Path, settings: IndexSettings, paths: str | Path | Iterable[str | Path]
) -> int:
    """See :meth:`~ovmlv.index.VideoIndex.remove`."""
    entries = [paths] if isinstance(paths, (str, Path)) else list(paths)
    with IndexWriter(folder, settings) as writer:
        chosen: dict[str, Any] = {}
        for entry in entries:
            own = [p for p in writer.rows if is_below(p, entry)]
            if not own:
                raise DataError(f'index {folder} has no video {entry}; correct the path')
            chosen.update({path: writer.rows[path] for path in own})
        writer.remove(list(chosen.values()))
        writer.tidy()
    return len(chosen)
