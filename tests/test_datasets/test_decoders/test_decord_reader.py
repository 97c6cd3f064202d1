"""decord through the same interface: right, or refused."""

import numpy as np
import pytest

from ovmlv.datasets.decoders import DecordReader, PyAVReader
from ovmlv.datasets.video_failures import READ_ERRORS, UnreadableVideoError
from tests.test_datasets import odd_videos as odd


def test_same_pixels_and_times_as_pyav(tmp_path):
    path = odd.write_noise(tmp_path / 'a.mp4', 12)
    one, other = DecordReader(path), PyAVReader(path)
    assert len(one) == len(other) and one.rate == pytest.approx(other.rate)
    np.testing.assert_allclose(one.times, other.times, atol=1e-5)
    for a, b in zip(one.get_frames([2, 9, 2]), other.get_frames([2, 9, 2])):
        assert np.array_equal(a, b)
    one.close()


def test_time_stamps_that_go_backwards_are_refused(tmp_path):
    options = {'qmin': '1', 'qmax': '1'}
    path = odd.write_video(tmp_path / 'a.avi', 55, codec='mpeg4', gop=100, options=options)
    with pytest.raises(UnreadableVideoError, match="do not increase; use backend='pyav'"):
        DecordReader(path)


@pytest.mark.parametrize('width', [16, 24, 48])
def test_pictures_of_four_channels_are_refused(width, tmp_path):
    """decord 0.6.0 takes padded rows for a fourth channel, or dies of it."""
    path = odd.write_video(tmp_path / 'a.mp4', 3, size=(40, width))
    with pytest.raises(READ_ERRORS):
        DecordReader(path).get_frames([1])
    assert PyAVReader(path).get_frames([1])[0].shape == (40, width, 3)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.mp4 not found'):
        DecordReader(tmp_path / 'a.mp4')
