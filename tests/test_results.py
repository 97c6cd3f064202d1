import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

from ovmlv.apis import LabelScore, TagResult, Timings, Window
from ovmlv.results import source_name


def result(probabilities=(0.25, 0.75, 0.5), labels=('a', 'running dog', 'c'), **kwargs):
    return TagResult('v.mp4', tuple(labels), np.array(probabilities, np.float32), **kwargs)


def test_top_is_sorted_and_cut():
    assert result().top(2) == [LabelScore('running dog', 0.75), LabelScore('c', 0.5)]
    assert [s.label for s in result().top()] == ['running dog', 'c', 'a']
    assert len(result().top(99)) == 3


def test_ties_keep_the_order_asked_for():
    assert [s.label for s in result((0.5, 0.5, 0.5)).top()] == ['a', 'running dog', 'c']


def test_to_dict_is_plain_json():
    out = json.loads(json.dumps(result().to_dict(k=1)))
    assert out == {
        'video': 'v.mp4',
        'labels': [{'label': 'running dog', 'probability': 0.75}],
        'error': None,
    }


def test_table_is_aligned_also_for_wide_characters():
    lines = str(result(labels=('a', 'running dog', '走る犬'))).splitlines()
    assert lines[0] == 'v.mp4'
    assert lines[1] == '  running dog  0.750  ' + '#' * 15
    assert lines[2] == '  走る犬       0.500  ' + '#' * 10  # three characters, six columns
    assert lines[3] == '  a            0.250  ' + '#' * 5


def test_an_unreadable_video_has_no_labels():
    broken = result((np.nan,) * 3, error='video v.mp4 cannot be read')
    assert broken.top(2) == [] and broken.to_dict()['error'] == 'video v.mp4 cannot be read'
    assert str(broken) == 'v.mp4\n  error: video v.mp4 cannot be read'


def test_it_is_checked_and_cannot_be_changed():
    with pytest.raises(ValueError, match='for 3 labels'):
        result((0.1, 0.2))
    with pytest.raises(ValueError, match='k=0'):
        result().top(0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result().video = 'other'


def windowed():
    """Two labels, three windows."""
    rows = np.array([[0.1, 0.75], [0.5, 0.25], [0.25, 0.5]], np.float32)
    windows = tuple(Window(float(i), i + 1.0) for i in range(3))
    times = Timings(0.5, 0.25, 0.125)
    args = dict(windows=windows, window_probabilities=rows, timings=times)
    return TagResult('v.mp4', ('a', 'b'), rows.max(0), **args)


def test_windows_in_json_belong_to_the_labels_beside_them():
    out = json.loads(windowed().to_json(k=1))
    assert out['labels'] == [{'label': 'b', 'probability': 0.75}]
    assert out['windows'] == [
        {'start': 0.0, 'end': 1.0, 'probabilities': [0.75]},
        {'start': 1.0, 'end': 2.0, 'probabilities': [0.25]},
        {'start': 2.0, 'end': 3.0, 'probabilities': [0.5]},
    ]
    assert out['timings'] == {'decode': 0.5, 'encode': 0.25, 'score': 0.125}
    assert windowed().timeline.shape == (2, 3) and result().timeline.shape == (3, 0)


def test_tables():
    table = result().to_pandas(k=2)
    assert table.columns.tolist() == ['video', 'label', 'probability']
    assert table.values.tolist() == [['v.mp4', 'running dog', 0.75], ['v.mp4', 'c', 0.5]]
    table = windowed().to_pandas()
    assert len(table) == 6
    assert table.iloc[4].tolist() == ['v.mp4', 'a', 0.5, 1.0, 2.0]
    empty = result((np.nan,) * 3, error='bad').to_pandas()
    assert empty.empty and empty.columns.tolist() == ['video', 'label', 'probability']


def test_windows_and_their_probabilities_come_together():
    for windows, rows in (((Window(0, 1),), None), ((), np.zeros((1, 3), np.float32))):
        with pytest.raises(ValueError, match='give .windows, labels., or neither'):
            result(windows=windows, window_probabilities=rows)


class Place:
    def __fspath__(self):
        return 'b.mp4'


def test_names_of_what_is_tagged(tmp_path):
    """By whatever door it comes in."""
    (tmp_path / 'c.mp4').write_bytes(b'')
    with (tmp_path / 'c.mp4').open('rb') as file:
        assert source_name(file) == str(tmp_path / 'c.mp4')
    for source, name in (
        (np.zeros((2, 4, 4, 3), np.uint8), 'array'),
        ('a.mp4', 'a.mp4'),
        (Path('folder') / 'a.mp4', str(Path('folder') / 'a.mp4')),
        (Place(), 'b.mp4'),
        (io.BytesIO(), 'stream'),
    ):
        assert source_name(source) == name
