"""Whether an index is whole, and its files are still those that were indexed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .index_questions import is_below
from .snapshot import Snapshot
from .video_rows import VideoRow, content_digest

#: A vector of half precision, and the mean of several views, are not longer than this.
_LONGEST = 1.01


def find_faults(
    snapshot: Snapshot, inputs: str | Path | Iterable[str | Path] | None, content: bool
) -> Iterator[str]:
    """Faults, each in one line with the mend.

    Args:
        snapshot: The index.
        inputs: Files or folders to look at; None looks at all.
        content: Whether to read the files and compare their hashes.
    """
    yield from _of_tables(snapshot)
    entries = [inputs] if isinstance(inputs, (str, Path)) else inputs
    chosen = None if entries is None else list(entries)
    for row in snapshot.rows:
        if chosen is not None and not any(is_below(row.path, entry) for entry in chosen):
            continue
        fault = _of_file(row, content)
        if fault is not None:
            yield f'{row.path}: {fault}; add its folder again'


def _of_tables(snapshot: Snapshot) -> Iterator[str]:
    counts = Counter(snapshot.video.tolist())
    for number, row in enumerate(snapshot.videos):
        if counts[number] != row.windows:
            yield (
                f'{row.path}: the index has {counts[number]} of its {row.windows} windows; remove '
                'it and add it again'
            )
    paths = Counter(row.path for row in snapshot.rows)
    twice = [path for path, count in paths.items() if count > 1]
    yield from (f'{path} is in the index more than once; remove it' for path in twice)
    bad: set[int] = set()
    for start, embeddings in snapshot.chunks():
        lengths = np.linalg.norm(embeddings.astype(np.float32), axis=1)
        wrong = ~((lengths > 0) & (lengths < _LONGEST))  # NaN is neither
        bad.update(snapshot.video[start : start + len(lengths)][wrong].tolist())
    for number in sorted(bad):
        path = snapshot.videos[number].path
        yield f'{path}: its embeddings are damaged; remove it and add it again'


def _of_file(row: VideoRow, content: bool) -> str | None:
    try:
        status = os.stat(row.path)
    except OSError as error:
        return f'is gone ({error.strerror})'
    if not row.is_of(status):
        return 'was changed since'
    if content and row.digest:
        try:
            if content_digest(row.path) != row.digest:
                return 'has other content, though its size and time of change are the same'
        except ValueError as error:
            return str(error)
    return None
