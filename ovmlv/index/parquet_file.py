"""Results of videos as a Parquet file, which many programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ovmlv.files import whole_file
from ovmlv.results import TagResult

from .lance_tables import arrow

_ROWS_AT_ONCE = 500_000


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
        >>> result = TagResult('a.mp4', ('a dog', 'a cat'), np.array([0.25, 0.75], np.float32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = write_parquet([result], f'{folder}/tags.parquet')
        ...     table = arrow().parquet.read_table(f'{folder}/tags.parquet')
        >>> rows, table['label'].to_pylist(), table['probability'].to_pylist()
        (2, ['a cat', 'a dog'], [0.75, 0.25])
    """
    pa = arrow()
    import pyarrow.parquet as parquet

    fields = [
        pa.field('video', pa.string(), nullable=False),
        pa.field('label', pa.string(), nullable=False),
        pa.field('probability', pa.float32(), nullable=False),
    ]
    if timeline:
        fields += [pa.field('start', pa.float64()), pa.field('end', pa.float64())]
    schema = pa.schema(fields)
    count = 0
    with whole_file(path) as scratch, parquet.ParquetWriter(scratch, schema) as writer:
        columns: list[list[Any]] = [[] for _ in fields]
        for result in results:
            for row in _rows(result if choose is None else choose(result), timeline):
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
            if len(columns[0]) >= _ROWS_AT_ONCE:
                count += len(columns[0])
                writer.write_table(
                    pa.table(
                        [pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)],
                        schema=schema,
                    )
                )
                columns = [[] for _ in fields]
        if columns[0] or not count:
            count += len(columns[0])
            writer.write_table(
                pa.table(
                    [pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)],
                    schema=schema,
                )
            )
    return count


def _rows(result: TagResult, timeline: bool) -> Iterable[tuple[Any, ...]]:
    if not timeline:
        return ((result.video, *score) for score in result.top())
    place = {label: i for i, label in enumerate(result.labels)}
    return (
        (result.video, label, p, window.start, window.end)
        for label, _ in result.top()
        for window, p in zip(result.windows, result.timeline[place[label]].tolist(), strict=True)
    )
