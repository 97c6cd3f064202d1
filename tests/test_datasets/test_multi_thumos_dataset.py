"""MultiTHUMOS: invented rows in both forms, and the real rows where they are at hand."""

import json

import numpy as np
import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

CLASS_LIST = '1 GolfSwing\n2 BodyTurn\n3 TwoHandedCatch\n'
JSON = {
    'video_test_0000004': dict(
        subset='testing',
        duration=10.0,
        # Ids from 1; one segment of no length, one inverted, one past the end.
        actions=[[1, 0.0, 6.0], [2, 2.0, 4.0], [3, 5.0, 5.0], [2, 9.0, 8.0], [3, 9.5, 40.0]],
    ),
    'video_validation_0000051': dict(subset='training', duration=4.0, actions=[[2, 1.0, 2.0]]),
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'class_list.txt').write_text(CLASS_LIST)
    (tmp_path / 'multithumos.json').write_text(json.dumps(JSON))
    (tmp_path / 'annotations').mkdir()
    for number, name in enumerate(('GolfSwing', 'BodyTurn', 'TwoHandedCatch'), 1):
        lines = [
            f'{video} {start} {end}\n'
            for video, entry in JSON.items()
            for c, start, end in entry['actions']
            if c == number
        ]
        (tmp_path / 'annotations' / f'{name}.txt').write_text(''.join(lines))
    return tmp_path


def build(root, ann_file='multithumos.json', **kwargs):
    dataset = DATASETS.build(
        dict(type='MultiTHUMOSDataset', data_root=str(root), ann_file=ann_file, **FAST, **kwargs)
    )
    return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('ann_file', ['multithumos.json', 'annotations'])
def test_both_forms(root, ann_file):
    dataset, infos = build(root, ann_file, subset='all')
    assert dataset.metainfo['classes'] == ['golf swing', 'body turn', 'two handed catch']
    assert [i['video_id'] for i in infos] == list(JSON)
    assert [i['label'].tolist() for i in infos] == [[1, 1, 1], [0, 1, 0]]
    for subset, video in (('training', 'video_validation_0000051'), ('testing', next(iter(JSON)))):
        _, infos = build(root, ann_file, subset=subset)
        assert [i['video_id'] for i in infos] == [video]


def test_segments(root):
    dataset, infos = build(root, subset='testing', units='segment')
    assert [(i['segment'], i['label'].tolist()) for i in infos] == [
        ((0, 6), [1, -1, 0]),
        ((2, 4), [1, 1, 0]),
        ((9.5, 10), [0, 0, 1]),
    ]
    assert dataset.statistics['dropped_empty'] == dataset.statistics['dropped_inverted'] == 1


def test_points_are_the_per_frame_protocol(root):
    """Against the loop of super-events, in which a segment does not hold at its ends."""
    _, infos = build(root, subset='testing', units='point', stride=0.5)
    num = 20
    expected = np.zeros((num, 3))
    fps = num / 10.0
    for c, start, end in JSON['video_test_0000004']['actions']:
        for frame in range(num):
            if start < frame / fps < end:
                expected[frame, c - 1] = 1
    assert (np.stack([i['label'] for i in infos]) == expected).all()
    assert expected.sum(0).tolist() == [11, 3, 0]


def test_mistakes(root):
    with pytest.raises(ConfigError, match="subset='val'"):
        build(root, subset='val')
    (root / 'annotations' / 'BodyTurn.txt').unlink()
    with pytest.raises(DataError, match="no file 'BodyTurn.txt'"):
        build(root, 'annotations')
    with pytest.raises(DataError, match='annotation folder .* not found.*multithumos.zip'):
        build(root, 'missing')
    (root / 'multithumos.json').write_text('{"video_test_0000004": {"subset": "testing"}}')
    with pytest.raises(DataError, match="json: video_test_0000004: no key 'duration'"):
        build(root)
    bad = {'video_test_0000004': dict(subset='training', duration=1, actions=[[4, 0, 1]])}
    (root / 'multithumos.json').write_text(json.dumps(bad))
    with pytest.raises(DataError, match='video_test_0000004: label index 3 is outside 0..2'):
        build(root)
    (root / 'multithumos.json').write_text('{}')
    with pytest.raises(DataError, match="no video of the subset 'training'"):
        build(root)


@pytest.mark.parametrize('name', ['multithumos.json', 'multithumos_odd.json'])
def test_real_rows(shared, name):
    folder = shared / 'multithumos'
    content = json.loads((folder / name).read_text())
    kwargs = dict(class_file='class_list.derived.txt', subset='all')
    dataset, infos = build(folder, name, **kwargs)
    assert len(dataset.metainfo['classes']) == 65
    assert dataset.metainfo['classes'][11] == 'high jump'
    assert [i['video_id'] for i in infos] == list(content)
    odd = 0
    for info, entry in zip(infos, content.values(), strict=True):
        assert set(np.flatnonzero(info['label'] == 1) + 1) == {a[0] for a in entry['actions']}
        odd += sum(a[1] >= a[2] for a in entry['actions'])
    # Every fifth second of each video, by a plain loop.
    _, points = build(folder, name, units='point', stride=5.0, **kwargs)
    expected = []
    for entry in content.values():
        time = 0.0
        while time < entry['duration']:
            held = [a[0] - 1 for a in entry['actions'] if a[1] < time < a[2]]
            expected.append(np.isin(np.arange(65), held).astype(int))
            time += 5.0
    assert (np.stack([p['label'] for p in points]) == np.stack(expected)).all()
    segments, _ = build(folder, name, units='segment', **kwargs)
    dropped = {k: v for k, v in segments.statistics.items() if k.startswith('dropped')}
    assert dropped.get('dropped_empty', 0) + dropped.get('dropped_inverted', 0) == odd
    assert (odd > 0) == ('odd' in name)
