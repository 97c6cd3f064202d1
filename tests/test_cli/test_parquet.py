"""``ovmlv tag`` into a Parquet file."""

import csv

import numpy as np
import pytest

from ovmlv.cli.parquet_output import open_output
from ovmlv.cli.result_formats import Parquet
from ovmlv.results import TagResult

from .conftest import LABELS, MODEL

parquet = pytest.importorskip('pyarrow.parquet', reason="pip install 'ovmlv[index]'")


def test_same_rows_as_csv(command, clips, tmp_path):
    asked = ['tag', *clips[:2], *MODEL, '--labels', *LABELS[:3], '--window', 1, '--timeline']
    table, text = tmp_path / 'tags.parquet', tmp_path / 'tags.csv'
    assert command(*asked, '--output', table)[:2] == (0, '')
    assert command(*asked, '--output', text)[0] == 0
    content = parquet.read_table(table)
    assert [str(kind) for kind in content.schema.types] == ['string', 'string', 'float', 'double',
                                                            'double']  # fmt: skip
    with text.open() as file:
        rows = list(csv.DictReader(file))
    assert content.column_names == list(rows[0]) and content.num_rows == len(rows) == 2 * 3 * 2
    for one, other in zip(content.to_pylist(), rows, strict=True):
        assert (one['video'], one['label']) == (other['video'], other['label'])
        for name in ('probability', 'start', 'end'):
            assert one[name] == pytest.approx(float(other[name]), rel=1e-5)
    # Whole or not at all: nothing beside it, and what is there is kept unless it may go.
    assert {path.name for path in tmp_path.iterdir()} == {
        'tags.parquet', 'tags.csv', 'tags.csv.run.json'}  # fmt: skip
    for options, words in (
        ([], 'exists; --overwrite'),
        (['--resume'], '--resume needs the format jsonl or csv'),
    ):
        status, _, err = command(*asked, '--output', table, *options)
        assert status == 2 and words in err and err.count('\n') == 1
    status, _, err = command(*asked, '--format', 'parquet')
    assert status == 2 and 'needs --output' in err


def test_a_run_that_fails_leaves_what_was_there(tmp_path):
    table = tmp_path / 'tags.parquet'
    table.write_bytes(b'before')
    result = TagResult('a.mp4', ('a',), np.array([0.5], np.float32))

    def fail():
        with open_output(str(table), None, Parquet(False), overwrite=True) as output:
            output.begin()
            output.add(result)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert table.read_bytes() == b'before' and list(tmp_path.iterdir()) == [table]
    with open_output(str(table), None, Parquet(False), overwrite=True) as output:
        output.begin()
        output.add(result)
    assert parquet.read_table(table).column_names == ['video', 'label', 'probability']
