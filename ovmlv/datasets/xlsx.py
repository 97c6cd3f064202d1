"""Sheets of ``.xlsx`` workbooks (ECMA-376) as text: a zip of XML, so no package is needed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from ovmlv.errors import DataError

_SHEET = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
_LINK = '{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id'


def read_sheet(path: str, sheet: str | None = None) -> list[tuple[str, dict[str, str]]]:
    """Rows of a sheet whose first row is a header.

    Args:
        path: The workbook.
        sheet: Name of the sheet; None: the first one.

    Returns:
        ``file: row n`` and the cells of each row as they are stored (a whole number without
        ``.0``); empty cells are ''.
    """
    try:
        with zipfile.ZipFile(path) as book:
            texts = _shared_texts(book)
            rows = list(_rows(_open(book, _member(book, path, sheet)), texts))
    except FileNotFoundError:
        raise DataError(f'{path}: file not found; correct the path or data_root') from None
    except (zipfile.BadZipFile, KeyError, IndexError, ElementTree.ParseError) as error:
        raise DataError(f'{path}: no valid workbook ({error}); download it again') from None
    if not rows:
        raise DataError(f'{path}: the sheet is empty')
    header = rows[0][1]
    return [
        (f'{path}: row {n}', {name: cells.get(column, '') for column, name in header.items()})
        for n, cells in rows[1:]
        if any(cells.values())
    ]


def _open(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(book.read(name))


def _member(book: zipfile.ZipFile, path: str, sheet: str | None) -> str:
    """The file of a sheet inside the workbook."""
    sheets = {
        s.get('name'): s.get(_LINK) for s in _open(book, 'xl/workbook.xml').iter(f'{_SHEET}sheet')
    }
    if sheet is not None and sheet not in sheets:
        raise DataError(f'{path}: no sheet {sheet!r} among {list(sheets)}')
    link = next(iter(sheets.values())) if sheet is None else sheets[sheet]
    for relation in _open(book, 'xl/_rels/workbook.xml.rels'):
        if relation.get('Id') == link:
            target = relation.get('Target')
            return target.lstrip('/') if target.startswith('/') else f'xl/{target}'
    raise KeyError(link)


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
                text = texts[int(value.text)]
            else:
                text = re.sub(r'^(-?\d+)\.0$', r'\1', value.text)
            cells[re.match('[A-Z]+', cell.get('r'))[0]] = text
        yield int(row.get('r', number)), cells
