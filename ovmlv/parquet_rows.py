"""Rows as a Parquet file, which DuckDB, pandas, Polars, Spark and many others read."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DependencyError
from .files import whole_file

if TYPE_CHECKING:
    import numpy as np

#: Rows that are in memory at once.
_ROWS_AT_ONCE = 500_000


class ParquetRows:
    """Writes a file in memory that does not grow with the number of rows.

    The file is there when the ``with`` block ends without an error; a kill leaves none.

    Args:
        path: The file.
        columns: Name -> type as Arrow calls it: ``string``, ``float32``, ``float64``, ``int64``,
            ``int8``, ``bool``. A ``?`` behind it allows None.

    Attributes:
        count: Rows so far.

    Raises:
        DependencyError: pyarrow is not installed.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with ParquetRows(f'{folder}/a.parquet', dict(video='string', seen='int8?')) as out:
        ...         out.add([('a.mp4', 1), ('b.mp4', None)])
        ...     arrow().parquet.read_table(f'{folder}/a.parquet')['seen'].to_pylist()
        [1, None]
    """

    def __init__(self, path: str | Path, columns: Mapping[str, str]) -> None:
        pa = arrow()
        self.path, self.count = Path(path), 0
        self._fields = [
            pa.field(name, pa.type_for_alias(kind.rstrip('?')), nullable=kind.endswith('?'))
            for name, kind in columns.items()
        ]
        self._schema = pa.schema(self._fields)
        self._waiting: list[list[Any]] = [[] for _ in self._fields]
        self._stack = contextlib.ExitStack()
        self._writer: Any = None

    def __enter__(self) -> ParquetRows:
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(whole_file(self.path))
            writer = arrow().parquet.ParquetWriter(scratch, self._schema)
            self._writer = stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                self._flush()
        except BaseException as problem:
            self._stack.__exit__(type(problem), problem, problem.__traceback__)
            raise
        self._stack.__exit__(kind, *error)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows, each with a value for every column."""
        for row in rows:
            for column, value in zip(self._waiting, row, strict=True):
                column.append(value)
        if len(self._waiting[0]) >= _ROWS_AT_ONCE:
            self._flush()

    def add_columns(self, *columns: Sequence[Any] | np.ndarray) -> None:
        """Write rows that are given by their columns, such as arrays of NumPy."""
        self._flush()
        self._write(columns)

    def _flush(self) -> None:
        if self._waiting[0]:
            columns, self._waiting = self._waiting, [[] for _ in self._fields]
            self._write(columns)

    def _write(self, columns: Sequence[Sequence[Any] | np.ndarray]) -> None:
        pa = arrow()
        arrays = []
        for column, field in zip(columns, self._fields, strict=True):
            if pa.types.is_string(field.type):
                column = [None if value is None else utf8(value) for value in column]
            arrays.append(pa.array(column, field.type))
        self.count += len(columns[0])
        self._writer.write_table(pa.table(arrays, schema=self._schema))


def arrow() -> Any:
    """The module ``pyarrow``, with its reader and writer of Parquet.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        importlib.import_module('pyarrow.parquet')
        return importlib.import_module('pyarrow')
    except ImportError:
        raise DependencyError(
            "Parquet needs pyarrow: pip install 'ovmlv[index]', or pip install pyarrow"
        ) from None


def utf8(text: str) -> str:
    r"""A text as Parquet can hold it: file names that are no UTF-8 get escapes.

    Examples:
        >>> utf8('caf\udce9.mp4')
        'caf\\xe9.mp4'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode('utf-8', 'surrogateescape' if _of_bytes(text) else 'surrogatepass')
        return data.decode('utf-8', 'backslashreplace')
    return text


def _of_bytes(text: str) -> bool:
    """Whether all halves of surrogate pairs stand for bytes, as in names of files."""
    return all('\udc80' <= c <= '\udcff' for c in text if '\ud800' <= c <= '\udfff')
