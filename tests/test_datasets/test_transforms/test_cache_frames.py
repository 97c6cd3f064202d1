"""Frames from the disk are those of the video, as long as it is the same."""

import os

import numpy as np
import pytest

from ovmlv.registry import TRANSFORMS
from tests.test_datasets import odd_videos as odd

STEPS = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
    dict(type='VideoDecode'),
]


@pytest.fixture
def video(tmp_path):
    return odd.write_video(tmp_path / 'a.mp4', count=20)


def build(folder):
    return TRANSFORMS.build(dict(type='CacheFrames', folder=str(folder), transforms=STEPS))


def sample(path, **values):
    return dict(filename=str(path), start_index=0, modality='RGB', label=[1, 0], **values)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert type(found[key]) is type(value), key
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_equals_the_transforms(video, tmp_path, monkeypatch):
    expected = sample(video)
    for step in STEPS:
        expected = TRANSFORMS.build(step)(expected)
    assert_same(build(tmp_path / 'cache')(sample(video)), expected)
    # The second time nothing is opened.
    again = build(tmp_path / 'cache')
    monkeypatch.setattr(again, 'transforms', None)
    assert_same(again(sample(video)), expected)
    # What belongs to the sample comes from the sample.
    assert again(dict(sample(video), label=[0, 1]))['label'] == [0, 1]


def test_other_segments_transforms_and_files_are_other_frames(video, tmp_path):
    cached = build(tmp_path / 'cache')
    cached(sample(video))
    part = cached(sample(video, segment=(0.0, 0.5)))
    assert part['frame_seconds'].max() < 0.5
    longer = [STEPS[0], dict(STEPS[1], clip_len=6), STEPS[2]]
    config = dict(type='CacheFrames', folder=str(tmp_path / 'cache'), transforms=longer)
    assert len(TRANSFORMS.build(config)(sample(video))['imgs']) == 6
    odd.write_video(video, count=5)
    os.utime(video, ns=(1, 1))
    assert cached(sample(video))['total_frames'] == 5


def test_damaged_cache_is_written_anew(video, tmp_path):
    cached = build(tmp_path / 'cache')
    expected = cached(sample(video))
    (path,) = (tmp_path / 'cache').rglob('*.npz')
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b'', b'text'):
        path.write_bytes(damaged)
        assert_same(build(tmp_path / 'cache')(sample(video)), expected)
        assert path.read_bytes()[:4] == b'PK\x03\x04'


def test_unreadable_videos_stay_unreadable(video, tmp_path):
    odd.truncate(video)
    for _ in range(2):
        with pytest.raises(Exception, match='cut short|no readable video'):
            build(tmp_path / 'cache')(sample(video))
    assert not list((tmp_path / 'cache').rglob('*.npz'))
