"""Smaller files with the same frames at the same times, or none."""

import numpy as np
import pytest

from ovmlv.curation.resize import ResizeTask, resize_video
from ovmlv.datasets.decoders import PyAVReader
from ovmlv.datasets.video_failures import UnreadableVideoError
from tests.test_datasets import odd_videos as odd


def resized(source, target, short_side=24, **settings):
    found = resize_video(ResizeTask(str(source), str(target), short_side, **settings))
    reader = PyAVReader(target)
    assert found['frames'] == len(reader)
    return reader, reader.get_frames(range(len(reader)))


def shown(frames):
    return [round((f[-6:, -6:].mean() - 20) / 4) for f in frames]


@pytest.mark.parametrize('times', [None, [0, 0.04, 0.5, 0.54, 2.0, 2.02, 2.5]])
def test_frames_and_their_times(times, tmp_path):
    count = 30 if times is None else 7
    rate = 10 if times is None else 1000
    source = odd.write_video(tmp_path / 'a.mp4', count, times=times, rate=rate)
    reader, frames = resized(source, tmp_path / 'new' / 'b.mp4', gop=5)
    assert frames[0].shape == (24, 40, 3) and shown(frames) == list(range(count))
    np.testing.assert_allclose(reader.times, PyAVReader(source).times, atol=1e-3)
    assert len(reader.index.key_pts) >= count // 5
    assert [p.name for p in (tmp_path / 'new').iterdir()] == ['b.mp4']


def test_upright_even_and_never_larger(tmp_path):
    source = odd.set_matrix(odd.write_video(tmp_path / 'a.mp4', 3), 0, 1, -1, 0)
    _, frames = resized(source, tmp_path / 'b.mp4')
    assert frames[0].shape == (40, 24, 3)
    assert frames[0][:6, -6:].mean() > 250  # the white corner has turned with the picture
    _, frames = resized(source, tmp_path / 'c.mp4', short_side=500)
    assert frames[0].shape == (80, 48, 3)
    _, frames = resized(odd.write_video(tmp_path / 'd.mp4', 3), tmp_path / 'e.mp4', short_side=25)
    assert frames[0].shape == (24, 42, 3)


def test_frames_that_are_counted(tmp_path):
    options = {'qmin': '1', 'qmax': '1'}
    source = odd.write_video(tmp_path / 'a.avi', 20, 'mpeg4', options=options)
    reader, frames = resized(source, tmp_path / 'b.mp4')
    assert shown(frames) == list(range(20))
    assert np.abs(reader.times[:, 0] - np.arange(20) / 10).max() < 0.05


def test_damaged_files_leave_nothing(tmp_path):
    target = tmp_path / 'new' / 'b.mp4'
    for source in (
        odd.damage(odd.write_noise(tmp_path / 'a.mp4')),
        odd.truncate(odd.write_noise(tmp_path / 'c.mp4')),
        odd.write_sound(tmp_path / 'd.mp4'),
    ):
        with pytest.raises(UnreadableVideoError):
            resize_video(ResizeTask(str(source), str(target), 24))
        assert not list((tmp_path / 'new').iterdir())
