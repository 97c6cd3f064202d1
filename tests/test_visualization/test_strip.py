import numpy as np
import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.visualization.strip import read_strip, shrink


def test_frames_are_from_the_middles_of_equal_parts(write_video):
    video = write_video(num_frames=16, fps=8)  # frame t is of the grey 10 t
    strip = read_strip(video, 4)
    assert strip.times[:, 0] * 8 == pytest.approx([2, 6, 10, 14])
    assert strip.times[:, 1] - strip.times[:, 0] == pytest.approx(1 / 8)
    assert strip.pictures.mean((1, 2, 3)) == pytest.approx([20, 60, 100, 140], abs=3)
    assert len(read_strip(video, 99).pictures) == 16


def test_arrays_do_as_well():
    frames = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 3), np.uint8)
    strip = read_strip(frames, 5, fps=2.0)
    assert strip.pictures[:, 0, 0, 0].tolist() == [1, 3, 5, 7, 9]
    assert strip.times[0].tolist() == [0.5, 1.0]


def test_high_frames_become_smaller(write_video):
    assert read_strip(write_video(size=(90, 120)), 2, 30).pictures.shape == (2, 30, 40, 3)
    assert read_strip(write_video(size=(90, 120)), 2, 99).pictures.shape == (2, 90, 120, 3)
    half = np.zeros((1, 8, 8, 3), np.uint8)
    half[:, :, 4:] = 255
    small = shrink(half, 4)[0, :, :, 0]
    assert small.shape == (4, 4) and small[:, 0].max() < 20 and small[:, 3].min() > 235


def test_mistakes_are_named(write_video, tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.mp4 not found'):
        read_strip(tmp_path / 'gone.mp4', 3)
    with pytest.raises(ConfigError, match='num_frames=0'):
        read_strip(write_video(), 0)
    damaged = tmp_path / 'damaged.mp4'
    damaged.write_bytes(write_video().read_bytes()[:200])
    with pytest.raises(DataError, match=r'damaged.mp4 cannot be read \(.*\); repair or remove it'):
        read_strip(damaged, 3)
