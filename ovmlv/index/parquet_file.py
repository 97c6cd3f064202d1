"""Results of videos as a Parquet file, which many programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ovmlv.parquet_rows import ParquetRows
from ovmlv.results import TagResult


def write_parquet(
    results: Iterable[TagResult],
    path: str | Path,
    choose: Callable[[TagResult], TagResult] | None = None,
    timeline: bool = False,
) -> int:
    """Write a row for each video and label, in memory that does not grow with their number.

    The columns are ``video``, ``label`` and ``probability``, best labels first; with ``timeline``,
    there is a row for each window, and the columns ``start`` and ``end`` in seconds. The file is
    there when all is written.

    Args:
        results: Results of videos.
        path: The file.
        choose: Function that leaves labels out; None keeps all.
        timeline: Whether to write the windows.

    Returns:
        Number of rows.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> import pyarrow.parquet
        >>> result = TagResult('a.mp4', ('a dog', 'a cat'), np.array([0.25, 0.75], np.float32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = write_parquet([result], f'{folder}/tags.parquet')
        ...     table = pyarrow.parquet.read_table(f'{folder}/tags.parquet')
        >>> rows, table['label'].to_pylist(), table['probability'].to_pylist()
        (2, ['a cat', 'a dog'], [0.75, 0.25])
    """
    with ParquetRows(path, result_columns(timeline)) as out:
        for result in results:
            out.add(result_rows(result if choose is None else choose(result), timeline))
    return out.count


def result_columns(timeline: bool) -> dict[str, str]:
    """Columns of results, with their types."""
    columns = dict(video='string', label='string', probability='float32')
    return dict(columns, start='float64?', end='float64?') if timeline else columns


def result_rows(result: TagResult, timeline: bool) -> Iterable[tuple[Any, ...]]:
    """A row for each label of a result, best first, or for each label and window."""
    if not timeline:
        return ((result.video, *score) for score in result.top())
    place = {label: i for i, label in enumerate(result.labels)}
    return (
        (result.video, label, p, window.start, window.end)
        for label, _ in result.top()
        for window, p in zip(result.windows, result.timeline[place[label]].tolist(), strict=True)
    )
