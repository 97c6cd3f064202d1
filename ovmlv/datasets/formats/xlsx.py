"""Sheets of ``.xlsx`` workbooks (ECMA-376) as text: a zip of XML, so no package is needed.

A workbook may come from anywhere. It is refused if it is damaged, would unpack to more than memory
holds, or has entities that expand (a document type, which no workbook has).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from ovmlv.errors import DataError, reason_of, shown

_SHEET = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
_LINK = '{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id'
#: Bytes of one unpacked file; the largest sheet of a published data set has a quarter of them.
LARGEST_PART = 1 << 26
# What zipfile, zlib, the XML parser and numbers that are none raise for damaged workbooks; an
# encrypted part is a RuntimeError, an unknown compression a NotImplementedError.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    LookupError,
    ValueError,
)


def read_sheet(
    path: str, sheet: str | None = None, required: Sequence[str] = ()
) -> list[tuple[str, dict[str, str]]]:
    """Rows of a sheet whose first row is a header.

    Args:
        path: The workbook.
        sheet: Name of the sheet; None takes the first one.
        required: Columns that it must have.

    Returns:
        ``file: row n`` and the cells of each row as they are stored (a whole number without
        ``.0``); empty cells are ''.

    Raises:
        DataError: The workbook is missing or cannot be used, or has no such sheet or column.
    """
    try:
        with zipfile.ZipFile(path) as book:
            texts = _shared_texts(book)
            rows = list(_rows(_open(book, _member(book, path, sheet)), texts))
    except FileNotFoundError:
        raise DataError(f'{path}: file not found; correct the path or data_root') from None
    except DataError:
        raise
    except (OSError, *_DAMAGE) as error:
        raise DataError(
            f'{path}: no valid workbook ({reason_of(error)}); download it again'
        ) from None
    if not rows:
        raise DataError(f'{path}: the sheet is empty')
    header = rows[0][1]
    for name in required:
        if name not in header.values():
            raise DataError(f'{path}: no column {name!r} among {shown(list(header.values()))}')
    twice = [name for name, count in Counter(header.values()).items() if count > 1 and name]
    if twice:
        raise DataError(f'{path}: the column {shown(twice[0])} stands twice; rename or remove one')
    return [
        (f'{path}: row {n}', {name: cells.get(column, '') for column, name in header.items()})
        for n, cells in rows[1:]
        if any(cells.values())
    ]


def _open(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """An XML file of the workbook."""
    with book.open(name) as file:
        data = file.read(LARGEST_PART + 1)
    if len(data) > LARGEST_PART:
        raise ValueError(f'{name} unpacks to more than {LARGEST_PART >> 20} MB')
    # As text, so that no declared encoding hides a document type.
    text = data.decode('utf-8-sig')
    if '<!DOCTYPE' in text:
        raise ValueError(f'{name} has a document type')
    return ElementTree.fromstring(text)


def _member(book: zipfile.ZipFile, path: str, sheet: str | None) -> str:
    """The file of a sheet inside the workbook."""
    sheets = {
        s.get('name'): s.get(_LINK) for s in _open(book, 'xl/workbook.xml').iter(f'{_SHEET}sheet')
    }
    if not sheets or (sheet is not None and sheet not in sheets):
        raise DataError(f'{path}: no sheet {sheet!r} among {shown(list(sheets))}')
    link = next(iter(sheets.values())) if sheet is None else sheets[sheet]
    for relation in _open(book, 'xl/_rels/workbook.xml.rels'):
        target = relation.get('Target')
        if relation.get('Id') == link and target:
            return target.lstrip('/') if target.startswith('/') else f'xl/{target}'
    raise KeyError(f'no file of the sheet {sheet!r}')


def _shared_texts(book: zipfile.ZipFile) -> list[str]:
    """Texts that cells refer to by number."""
    if 'xl/sharedStrings.xml' not in book.namelist():
        return []
    return [_text(item) for item in _open(book, 'xl/sharedStrings.xml').iter(f'{_SHEET}si')]


def _text(item: ElementTree.Element) -> str:
    """A text, which may be in pieces of different fonts."""
    return ''.join(piece.text or '' for piece in item.iter(f'{_SHEET}t'))


def _rows(root: ElementTree.Element, texts: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of each row, by their column letters."""
    for number, row in enumerate(root.iter(f'{_SHEET}row'), 1):
        cells = {}
        for cell in row.iter(f'{_SHEET}c'):
            value = cell.find(f'{_SHEET}v')
            if cell.get('t') == 'inlineStr':
                text = _text(cell)
            elif value is None or value.text is None:
                continue
            elif cell.get('t') == 's':
                text = texts[_index(value.text)]
            else:
                text = re.sub(r'^(-?\d+)\.0$', r'\1', value.text)
            column = re.match('[A-Z]+', cell.get('r', ''))
            if not column:
                raise ValueError(f'a cell of row {number} has no place')
            cells[column[0]] = text
        yield _index(row.get('r', str(number))), cells


def _index(text: str) -> int:
    """A number from 0, of digits alone, since Python would count negative ones from the end."""
    if not re.fullmatch(r'\d{1,9}', text.strip(), re.ASCII):
        raise ValueError(f'{text[:20]!r} is no number of a row or text')
    return int(text)
