import dataclasses
import json

import numpy as np
import pytest

from ovmlv.apis import LabelScore, TagResult


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
