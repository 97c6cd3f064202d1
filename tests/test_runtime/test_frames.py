"""Resizing, cropping and sampling, against torch and the training pipeline's own."""

import numpy as np
import pytest
import torch

from ovmlv.apis.video_reader import fit_frames
from ovmlv.datasets.decoders.pyav_reader import PyAVReader
from ovmlv.datasets.transforms import SampleSegmentFrames
from ovmlv.errors import DataError
from ovmlv.runtime.frames import make_views
from ovmlv.runtime.video_file import choose_frames, read_frames
from tests.test_datasets import odd_videos


def noise(height, width, num=2):
    return np.random.default_rng(0).integers(0, 256, (num, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize('size', [(48, 64), (240, 135), (64, 64), (31, 200), (77, 64)])
def test_views_are_those_of_the_reader(size):
    frames = noise(*size)
    expected = fit_frames(torch.from_numpy(frames).permute(0, 3, 1, 2), (64, 64))
    (found,) = make_views(frames, (64, 64))
    difference = found.astype(int) - expected.permute(0, 2, 3, 1).numpy()
    assert np.abs(difference).max() <= 1  # halves may be rounded either way
    assert (difference != 0).mean() < 1e-3
    (found,) = make_views(frames.astype(np.float32) / 255, (64, 64))
    assert found.dtype == np.float32


def test_crops_lie_along_the_longer_side():
    frames = np.zeros((1, 4, 10, 3), np.uint8) + np.arange(10, dtype=np.uint8)[:, None]
    views = make_views(frames, (4, 4), num_crops=3)
    assert views[:, 0, 0, 0, 0].tolist() == [0, 3, 6]
    assert make_views(frames, (4, 4))[0, 0, 0, 0, 0] == 3
    turned = make_views(frames.swapaxes(1, 2), (4, 4), num_crops=3)
    assert turned[:, 0, 0, 0, 0].tolist() == [0, 3, 6]


def test_short_side_leaves_a_margin():
    assert make_views(noise(80, 100), (64, 64), short_side=72).shape == (1, 2, 64, 64, 3)
    with pytest.raises(DataError, match='short_side'):
        make_views(noise(80, 100), (64, 64), short_side=60)


@pytest.mark.parametrize('clips', [1, 3])
@pytest.mark.parametrize('total', [1, 3, 16, 29])
@pytest.mark.parametrize('even', [True, False])
def test_frames_are_those_of_the_pipeline(total, clips, even):
    begins = np.arange(total) / 10 if even else np.cumsum(1 + np.arange(total) % 5 * 2) / 10.0
    step = (begins[-1] - begins[0]) / max(total - 1, 1)
    ends = np.append(begins[1:], begins[-1] + step)
    results = dict(total_frames=total, frame_times=np.stack([begins, ends], 1))
    expected = SampleSegmentFrames(8, clips, test_mode=True)(results)['frame_inds']
    assert choose_frames(begins, 8, clips).ravel().tolist() == expected.tolist()


def test_pictures_are_those_of_the_reader(write_video):
    frames = noise(48, 64, 12)
    path = write_video('a:clip.mp4', frames=frames)
    found = read_frames(path, 4, 2)
    assert found.shape == (2, 4, 48, 64, 3)
    places = choose_frames(np.arange(12.0), 4, 2)
    for clip, indices in zip(found, places, strict=True):
        np.testing.assert_array_equal(clip, PyAVReader(path).get_frames(indices))


def test_phones_turn_their_pictures(tmp_path):
    path = odd_videos.set_matrix(odd_videos.write_video(tmp_path / 'a.mp4', 4), 0, 1, -1, 0)
    expected = PyAVReader(path).get_frames(range(4))
    np.testing.assert_array_equal(read_frames(path, 4)[0], expected)


def test_unreadable_videos(write_video, tmp_path):
    path = write_video()
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match='repair or remove'):
        read_frames(path, 4)
    with pytest.raises(FileNotFoundError, match='give the path'):
        read_frames(tmp_path / 'none.mp4', 4)
