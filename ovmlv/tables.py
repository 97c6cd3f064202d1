"""CSV files that people write: rows with the line they stand in, and one error for each mistake."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import DataError, shown
from .files import read_text

# With its end: csv wants to see the line ends that stand within a quoted cell.
_LINE = re.compile(r'[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+')
PUBLISHED = 'restore the published file'


def read_csv_lists(path: str | Path, separator: str = ',') -> Iterator[tuple[str, list[str]]]:
    """``file:line`` and cells of each row; empty lines are skipped.

    Args:
        path: The file.
        separator: Character between the cells.

    Raises:
        DataError: The file is missing or is not UTF-8 text, or a quote is not closed.
    """
    text = read_text(path)
    lines = (match[0] for match in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for row in reader:
            if row:
                yield f'{path}:{reader.line_num}', row
    except csv.Error as error:
        raise DataError(f'{path}:{reader.line_num}: no valid CSV ({error})') from None


def read_csv_rows(
    path: str | Path, required: Sequence[str], separator: str = ',', mend: str = PUBLISHED
) -> Iterator[tuple[str, dict[str, str]]]:
    """``file:line`` and cells by column of each row of a file with a header; cells are strings.

    Args:
        path: The file.
        required: Columns that it must have.
        separator: Character between the cells.
        mend: What to do about a wrong file, for messages.

    Raises:
        DataError: As for :func:`read_csv_lists`; or a column is missing or there twice, or a row
            has too many or too few cells.
    """
    rows = read_csv_lists(path, separator)
    header = [name.strip() for name in next(rows, ('', []))[1]]
    for name in required:
        if name not in header:
            raise DataError(f'{path}:1: no column {name!r} among {shown(header)}; {mend}')
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise DataError(
            f'{path}:1: the column {shown(twice[0])} stands twice; rename or remove one'
        )
    for where, row in rows:
        if len(row) != len(header):
            raise DataError(
                f'{where}: {len(row)} fields, but the header has {len(header)}; put fields that '
                f'hold {separator!r} in double quotes, or {mend}'
            )
        yield where, dict(zip(header, row, strict=True))
