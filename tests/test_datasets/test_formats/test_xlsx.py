"""Workbooks of strangers: damaged, bombs, with missing parts."""

import random
import zipfile

import pytest

from ovmlv.datasets.formats.xlsx import LARGEST_PART, read_sheet
from ovmlv.errors import DataError
from tests.test_datasets.test_formats.workbooks import MAIN, write_book

ROWS = [['id', 'name'], *([str(i), f'name {i}'] for i in range(40))]


@pytest.fixture
def book(tmp_path):
    path = tmp_path / 'a.xlsx'
    write_book(path, dict(S=ROWS), shared_texts=True)
    return path


def rewrite(path, **parts):
    """The workbook with other contents of some of its files; None removes one."""
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    for name, data in parts.items():
        key = next(n for n in content if n.endswith(name.replace('_', '.')))
        content[key] = data
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)
    return str(path)


def sheet(body: str, head: str = '') -> str:
    return f'{head}<worksheet {MAIN}><sheetData>{body}</sheetData></worksheet>'


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">{}]>'.format(
    ''.join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip('abcdefgh', 'bcdefghi'))
)


@pytest.mark.parametrize(
    ('parts', 'words'),
    [
        (dict(sheet1_xml=sheet('<row><c r="A1"><v>&i;</v></c></row>', LAUGHS)), 'document type'),
        (dict(sheet1_xml=sheet('', LAUGHS).encode('utf-16')), 'no valid workbook'),
        (dict(sheet1_xml=b' ' * (LARGEST_PART + 1)), 'unpacks to more than 64 MB'),
        (dict(sheet1_xml='<worksheet'), 'no valid workbook'),
        (dict(sheet1_xml=None), 'no valid workbook'),
        (dict(workbook_xml=None), 'no valid workbook'),
        (dict(workbook_xml='<workbook/>'), 'no sheet'),
        (dict(workbook_xml_rels=None), 'no valid workbook'),
        (dict(sharedStrings_xml=None), 'no valid workbook'),
        (dict(sheet1_xml=sheet('<row><c t="s" r="A1"><v>-1</v></c></row>')), "'-1' is no number"),
        (dict(sheet1_xml=sheet('<row><c t="s"><v>0</v></c></row>')), 'has no place'),
        (dict(sheet1_xml=sheet('<row r="x"><c t="s" r="A1"><v>0</v></c></row>')), 'no number'),
        (dict(sheet1_xml=sheet('')), 'the sheet is empty'),
    ],
)  # fmt: skip
def test_what_is_refused(book, parts, words):
    """FAULTS D4: zlib.error, entity bombs, zip bombs, missing parts."""
    with pytest.raises(DataError, match=words) as error:
        read_sheet(rewrite(book, **parts))
    assert 'a.xlsx' in str(error.value) and '\n' not in str(error.value)


def test_columns(book):
    with pytest.raises(DataError, match="no column 'Label' among"):
        read_sheet(str(book), 'S', ('Label',))
    write_book(book, dict(S=[['id', 'id'], ['1', '2']]), shared_texts=False)
    with pytest.raises(DataError, match="the column 'id' stands twice"):
        read_sheet(str(book))


def test_flipped_bytes(book):
    """FAULTS D4: 26 of 300 damaged workbooks were a traceback."""
    rewrite(book)
    data, draw = book.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 4])):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
        book.write_bytes(damaged)
        try:
            read_sheet(str(book))
        except DataError as error:
            assert '\n' not in str(error)
