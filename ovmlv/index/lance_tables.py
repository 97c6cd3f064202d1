"""The two Lance tables of an index, and what their library's errors mean.

``videos`` has a row for each file that was looked at, ``windows`` one for each part of a good one.
A video counts when it is in ``videos``, and its windows are written before, so that a kill between
the two leaves rows that nobody sees and that the next writer removes.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import DataError, DependencyError, OutputError, OvmlvError, reason_of

if TYPE_CHECKING:
    import pyarrow as pa

VIDEOS, WINDOWS = 'videos', 'windows'
INSTALL = "pip install 'ovmlv[index]', or pip install lancedb pyarrow"


def arrow() -> Any:
    """The module ``pyarrow``."""
    return _module('pyarrow')


def require() -> None:
    """Raise a :class:`DependencyError` if a package is missing."""
    for name in ('lancedb', 'pyarrow'):
        _module(name)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise DependencyError(f'a video index needs {name}: {INSTALL}') from None


def videos_schema() -> pa.Schema:
    """A row for each file; ``error`` says in one line why a bad one has no windows."""
    pa = arrow()
    return pa.schema(
        [
            pa.field('id', pa.int64(), nullable=False),
            pa.field('path', pa.string(), nullable=False),
            pa.field('size', pa.int64(), nullable=False),
            pa.field('mtime_ns', pa.int64(), nullable=False),
            pa.field('digest', pa.string(), nullable=False),
            pa.field('duration', pa.float64()),
            pa.field('fps', pa.float64()),
            pa.field('windows', pa.int64(), nullable=False),
            pa.field('error', pa.string()),
        ]
    )


def windows_schema(embed_dim: int) -> pa.Schema:
    """A row for each window: times in seconds, embedding in half precision, JPEG."""
    pa = arrow()
    return pa.schema(
        [
            pa.field('video', pa.int64(), nullable=False),
            pa.field('start', pa.float64()),
            pa.field('end', pa.float64()),
            pa.field('embedding', pa.list_(pa.float16(), embed_dim), nullable=False),
            pa.field('thumbnail', pa.binary()),
        ]
    )


def has_tables(folder: Path) -> bool:
    """Whether an index has its tables; none were written before the first process takes part."""
    return any((folder / f'{name}.lance').is_dir() for name in (VIDEOS, WINDOWS))


@contextlib.contextmanager
def lance_errors(folder: Path, writing: bool = False) -> Iterator[None]:
    """Turn errors of the library about files into one line.

    Args:
        folder: The index, for the message.
        writing: Whether the block writes.

    Raises:
        OutputError: Something cannot be written.
        DataError: Something cannot be read.
    """
    try:
        yield
    except OvmlvError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if writing:
            raise OutputError(
                f'index {folder} cannot be written ({reason_of(error)}); what was written before '
                'is kept'
            ) from error
        raise DataError(
            f'index {folder} cannot be read ({reason_of(error)}); look by "ovmlv index verify", '
            'or make it again'
        ) from error


class LanceTables:
    """The tables of a folder.

    Args:
        folder: Folder of the index.
        embed_dim: E.
        create: Whether to make tables that are missing.
    """

    def __init__(self, folder: Path, embed_dim: int, create: bool = False) -> None:
        self.folder = folder
        schemas = {VIDEOS: videos_schema(), WINDOWS: windows_schema(embed_dim)}
        with lance_errors(folder, create):
            database = _module('lancedb').connect(str(folder))
            for name, schema in schemas.items():
                if create and not (folder / f'{name}.lance').is_dir():
                    database.create_table(name, schema=schema)
            self.videos, self.windows = (self._open(database, n, s) for n, s in schemas.items())

    @property
    def versions(self) -> tuple[int, ...]:
        """Number of the version of each table, which grows with every change."""
        with lance_errors(self.folder):
            return tuple(int(table.version) for table in (self.videos, self.windows))

    def _open(self, database: Any, name: str, schema: pa.Schema) -> Any:
        if not has_tables(self.folder):
            raise DataError(
                f'index {self.folder} has no videos yet; "ovmlv index merge" takes in what was '
                'encoded in parts (--shard)'
            )
        if not (self.folder / f'{name}.lance').is_dir():
            raise DataError(
                f'index {self.folder} lacks its table {name}; copy the whole folder, or make the '
                'index again'
            )
        table = database.open_table(name)
        found = {field.name: field.type for field in table.schema}
        for field in schema:
            if found.get(field.name) != field.type:
                raise DataError(
                    f'index {self.folder}: column {field.name} of the table {name} is missing or '
                    'of another type; make the index again'
                )
        return table

    def compact(self, keep: timedelta) -> None:
        """Join small files, and remove versions that are older than ``keep``."""
        # It warns of readers, whom our own words warn of.
        with lance_errors(self.folder, writing=True), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            for table in (self.videos, self.windows):
                table.optimize(cleanup_older_than=keep, delete_unverified=True)

    def small_files(self) -> int:
        """Number of small files that the larger table consists of."""
        with lance_errors(self.folder):
            return max(
                int(table.stats()['fragment_stats']['num_small_fragments'])
                for table in (self.videos, self.windows)
            )
