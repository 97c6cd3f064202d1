"""CSV files: rows with their lines, and what is refused."""

import pytest

from ovmlv.errors import DataError
from ovmlv.tables import read_csv_lists, read_csv_rows


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_rows_with_their_lines(tmp_path, end):
    """FAULTS D1: only line ends end a row; U+2028, U+0085, VT and FF may stand in a cell."""
    path = tmp_path / 'a.csv'
    cell = 'x\u2028y\x85z\x0bv\x0cw'
    path.write_bytes(f'\ufeffa,b{end}{end}1,{cell}{end}"2,3","4{end}5"{end}'.encode())
    assert list(read_csv_rows(path, ('a',))) == [
        (f'{path}:3', dict(a='1', b=cell)),
        (f'{path}:5', dict(a='2,3', b=f'4{end}5')),
    ]
    assert next(row for _, row in read_csv_lists(path)) == ['a', 'b']


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('a,b\n1\n', 'a.csv:2: 1 fields, but the header has 2; .*double quotes'),
        ('a,a\n1,2\n', "a.csv:1: the column 'a' stands twice"),
        ('b\n1\n', "a.csv:1: no column 'a' among"),
        ('', "a.csv:1: no column 'a'"),
        ('a\n"1\n', 'a.csv:2: no valid CSV'),
        (f'a\n{"x" * 200_000}\n', 'no valid CSV .*field limit'),
    ],
)
def test_what_is_refused(tmp_path, text, words):
    """FAULTS D11: a column that stood twice gave the last one."""
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        list(read_csv_rows(path, ('a',)))


def test_other_encodings_and_missing_files(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_bytes('a\nü\n'.encode('latin-1'))
    with pytest.raises(DataError, match='a.csv: no UTF-8 text'):
        list(read_csv_rows(path, ('a',)))
    with pytest.raises(DataError, match='b.csv: file not found'):
        list(read_csv_rows(tmp_path / 'b.csv', ('a',)))
