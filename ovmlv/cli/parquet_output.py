"""Results and plain rows that go into a Parquet file, or into any file that is written whole."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ovmlv.errors import ConfigError
from ovmlv.files import whole_file
from ovmlv.utils.terminal import Terminal

from .output_file import OutputFile
from .result_formats import (
    FILE_FORMATS,
    Format,
    Parquet,
    format_name,
    write_rows,
    written_part,
)
from .targets import refuse_unwritable

if TYPE_CHECKING:
    from ovmlv.apis import TagResult


class ParquetOutput:
    """A Parquet file of results; it has the methods of :class:`OutputFile`.

    The file is there when all of it is: what a run leaves that fails or is killed is what was there
    before.

    Args:
        path: The file.
        style: Whether windows are written.
        resume: Refused; a file that is written whole cannot be gone on with.
        overwrite: Whether to replace an existing file.
    """

    def __init__(self, path: str, style: Parquet, resume: bool, overwrite: bool) -> None:
        from ovmlv.index.parquet_file import result_columns
        from ovmlv.parquet_rows import ParquetRows

        if resume:
            raise ConfigError('--resume needs the format jsonl or csv; Parquet is written whole')
        refuse_existing(path, overwrite)
        self.style, self._begun = style, False
        self._rows = ParquetRows(path, result_columns(style.timeline))

    def __enter__(self) -> ParquetOutput:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if self._begun:
            self._rows.__exit__(kind, *error)

    def look(self, settings: Mapping[str, Any]) -> set[str]:
        """Videos that are there already: none."""
        return set()

    def begin(self) -> None:
        """Begin to write."""
        self._rows.__enter__()
        self._begun = True

    def add(self, result: TagResult) -> None:
        """Write a result."""
        self.add_part(written_part([result], self.style))

    def add_part(self, part: Any) -> None:
        """Write what :func:`~.result_formats.written_part` made of results."""
        self._rows.add(part)


def open_output(
    path: str | None,
    stdout: TextIO,
    style: Format | Parquet,
    resume: bool = False,
    overwrite: bool = False,
) -> OutputFile | ParquetOutput:
    """Where results go; for the arguments see :class:`OutputFile`."""
    if isinstance(style, Parquet):
        assert path is not None  # format_name has seen to it
        return ParquetOutput(path, style, resume, overwrite)
    return OutputFile(path, stdout, style, resume, overwrite)


def refuse_existing(path: str, overwrite: bool) -> None:
    """Refuse a file that is there, unless it is to be replaced, and a place that takes none."""
    refuse_unwritable(path, '--output')
    if os.path.exists(path) and not overwrite:
        raise ConfigError(f'{path} exists; --overwrite replaces it')


def add_rows_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """``--format``, ``--output`` and ``--overwrite``."""
    parser.add_argument(
        '--format',
        choices=FILE_FORMATS,
        help='default: as the ending of --output says, else table',
    )
    parser.add_argument('--output', metavar='FILE', help='write to FILE, not to stdout')
    parser.add_argument('--overwrite', action='store_true', help='replace --output')


def check_rows_arguments(args: argparse.Namespace) -> str:
    """The format; what cannot be written is refused before there are any rows."""
    name = format_name(args.format, args.output)
    if args.output is not None:
        refuse_existing(args.output, args.overwrite)
    elif args.overwrite:
        raise ConfigError('--overwrite needs --output FILE')
    if name == 'parquet':
        from ovmlv.parquet_rows import arrow

        arrow()
    return name


@contextlib.contextmanager
def rows_stream(args: argparse.Namespace, out: Terminal) -> Iterator[Terminal]:
    """The stream for text: stdout, or the file of ``--output``, which is there when it is whole."""
    if args.output is None:
        yield out
        return
    with whole_file(args.output) as scratch, open(scratch, 'w', encoding='utf-8') as file:
        yield Terminal(file)


def output_rows(
    args: argparse.Namespace,
    out: Terminal,
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
    rounded: Collection[str] = (),
) -> None:
    """Write plain rows where the arguments say.

    Args:
        args: See :func:`add_rows_arguments`.
        out: The stream without ``--output``.
        columns: Name -> type, see :class:`~ovmlv.parquet_rows.ParquetRows`.
        rows: The rows.
        rounded: Columns of which text has six digits; Parquet has all of them.
    """
    name = check_rows_arguments(args)
    if name == 'parquet':
        from ovmlv.parquet_rows import ParquetRows

        with ParquetRows(args.output, columns) as parquet:
            parquet.add(rows)
        return
    shown = [
        [float(f'{v:.6g}') if c in rounded else v for c, v in zip(columns, row, strict=True)]
        for row in rows
    ]
    with rows_stream(args, out) as stream:
        write_rows(stream, name, list(columns), shown)
