"""What an index holds, and how files differ from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from .adding import files_and_folders
from .reports import IndexStatus
from .settings import IndexSettings
from .snapshot import Snapshot
from .video_rows import compare


def status_of(
    snapshot: Snapshot,
    settings: IndexSettings,
    inputs: str | Path | Iterable[str | Path] | None,
) -> IndexStatus:
    """See :meth:`~ovmlv.index.VideoIndex.status`."""
    new = gone = None
    if inputs is not None:
        files, folders = files_and_folders(inputs)
        rows = {row.path: row for row in snapshot.rows}
        changes = compare(rows, files, folders, content=False)
        new, gone = len(changes.new), len(changes.gone)
    near = settings.approximate
    return IndexStatus(
        len(snapshot.videos),
        len(snapshot),
        sum(row.duration or 0.0 for row in snapshot.videos),
        {row.path: row.error for row in snapshot.rows if row.error is not None},
        sum(path.stat().st_size for path in snapshot.folder.rglob('*') if path.is_file()),
        settings.model.model,
        f'{settings.encoder["type"]} {settings.encoder["fingerprint"]}',
        settings.reading.window,
        None if near is None else asdict(near),
        new,
        gone,
    )
