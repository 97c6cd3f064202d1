"""Which frames are taken."""

import numpy as np
import pytest

from ovmlv.datasets import SampleSegmentFrames
from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import ConfigError, DataError


def sample(total, segment=None, fps=10.0, **kwargs):
    results = dict(total_frames=total, avg_fps=fps, filename='a.mp4', start_index=0)
    if segment:
        results['segment'] = segment
    results = SampleSegmentFrames(**kwargs).transform(results)
    assert results['clip_len'] == kwargs['clip_len']
    return results['frame_inds'].reshape(results['num_clips'], -1)


def test_test_mode_takes_the_middle_of_equal_parts():
    assert sample(80, clip_len=4, test_mode=True).tolist() == [[10, 30, 50, 70]]


def test_views_are_deterministic_distinct_and_in_their_parts():
    views = sample(80, clip_len=4, num_clips=3, test_mode=True)
    assert views.tolist() == sample(80, clip_len=4, num_clips=3, test_mode=True).tolist()
    assert len({tuple(v) for v in views}) == 3
    assert (views // 20 == np.arange(4)).all()
    assert (np.diff(views, axis=0) > 0).all()


def test_training_draws_within_each_part_and_reaches_all_of_it():
    np.random.seed(0)
    drawn = np.concatenate([sample(12, clip_len=3, num_clips=2) for _ in range(200)])
    for part in range(3):
        assert set(drawn[:, part]) == set(range(4 * part, 4 * part + 4))


@pytest.mark.parametrize('test_mode', [True, False])
def test_segment_in_seconds_is_cut_at_the_end_of_the_video(test_mode):
    for segment, low, high in (((1.0, 2.0), 10, 20), ((7.5, 9.2), 75, 80), ((0.31, 0.32), 3, 4)):
        inds = sample(80, segment, clip_len=8, num_clips=2, test_mode=test_mode)
        assert inds.min() >= low and inds.max() < high
        assert (np.diff(inds) >= 0).all()


def test_time_stamps_of_the_reader_are_used():
    """Variable frame rate: 5 frames in the first second, then one a second."""

    class Reader:
        def get_frame_timestamp(self, indices):
            times = [0, 0.2, 0.4, 0.6, 0.8, 1, 2, 3, 4, 5]
            return np.array([(times[i], times[i + 1]) for i in indices])

    results = dict(total_frames=9, avg_fps=9 / 5, video_reader=Reader(), segment=(0.0, 1.0))
    inds = SampleSegmentFrames(clip_len=5, test_mode=True).transform(results)['frame_inds']
    assert inds.tolist() == [0, 1, 2, 3, 4]
    results.update(segment=(2.5, 5.0))
    inds = SampleSegmentFrames(clip_len=3, test_mode=True).transform(results)['frame_inds']
    assert inds.tolist() == [6, 7, 8]


def test_short_videos_repeat_frames_or_are_refused():
    assert sample(3, clip_len=6, test_mode=True).tolist() == [[0, 0, 1, 1, 2, 2]]
    with pytest.raises(DataError, match='a.mp4: 3 frames, but clip_len=6'):
        sample(3, clip_len=6, out_of_bound='error')


def test_what_cannot_be_sampled_is_unreadable():
    with pytest.raises(UnreadableVideoError, match='no frames'):
        sample(0, clip_len=2)
    with pytest.raises(UnreadableVideoError, match=r'\[9, 12\] s is outside .* ends at 8.00 s'):
        sample(80, (9.0, 12.0), clip_len=2)
    with pytest.raises(UnreadableVideoError, match='frame rate is unknown'):
        sample(80, (1.0, 2.0), fps=0, clip_len=2)


@pytest.mark.parametrize('kwargs', [dict(clip_len=0), dict(clip_len=2, out_of_bound='loop')])
def test_bad_settings(kwargs):
    with pytest.raises(ConfigError):
        SampleSegmentFrames(**kwargs)


def test_repr_shows_the_settings():
    text = repr(SampleSegmentFrames(clip_len=8, num_clips=3, test_mode=True))
    assert 'clip_len=8, num_clips=3, test_mode=True' in text
