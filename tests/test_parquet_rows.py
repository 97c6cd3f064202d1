"""Rows in Parquet files, read again by pyarrow and pandas."""

import sys

import numpy as np
import pytest

from ovmlv.errors import DependencyError
from ovmlv.parquet_rows import ParquetRows, utf8

parquet = pytest.importorskip('pyarrow.parquet', reason="pip install 'ovmlv[index]'")
COLUMNS = dict(name='string', place='int64', score='float32', seen='int8?', good='bool')


def test_rows_and_columns_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr('ovmlv.parquet_rows._ROWS_AT_ONCE', 3)
    path = tmp_path / 'a.parquet'
    rows = [(f'n{i}', i, i / 4, None if i % 2 else 1, i > 3) for i in range(8)]
    with ParquetRows(path, COLUMNS) as out:
        out.add(rows[:1])
        out.add_columns(*zip(*rows[1:3], strict=True))
        for row in rows[3:]:
            out.add([row])
        assert not path.exists()
    assert out.count == 8
    table = parquet.read_table(path)
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    assert [field.nullable for field in table.schema] == [False, False, False, True, False]
    pandas = pytest.importorskip('pandas')
    assert pandas.read_parquet(path)['score'].dtype == np.float32


def test_no_rows(tmp_path):
    with ParquetRows(tmp_path / 'a.parquet', COLUMNS):
        pass
    table = parquet.read_table(tmp_path / 'a.parquet')
    assert table.num_rows == 0 and table.column_names == list(COLUMNS)


def test_names_that_are_no_utf8(tmp_path):
    names = ['é😀', 'caf\udce9.mp4', '\ud800', 'a\x00']
    with ParquetRows(tmp_path / 'a.parquet', dict(name='string')) as out:
        out.add([[name] for name in names])
    found = parquet.read_table(tmp_path / 'a.parquet')['name'].to_pylist()
    assert found == ['é😀', 'caf\\xe9.mp4', '\\xed\\xa0\\x80', 'a\x00'] == list(map(utf8, names))


def test_an_error_leaves_no_file(tmp_path):
    for rows in ([('a', 1, 0.5, 1, 'no bool')], [('a',)]):
        with pytest.raises((ValueError, TypeError)), ParquetRows(tmp_path / 'a', COLUMNS) as out:
            out.add(rows)
        assert not list(tmp_path.iterdir())


def test_missing_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'pyarrow.parquet', None)
    with pytest.raises(DependencyError, match='needs pyarrow: pip install'):
        ParquetRows(tmp_path / 'a', COLUMNS)
