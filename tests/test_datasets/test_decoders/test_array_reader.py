import numpy as np
import pytest

from ovmlv.datasets.decoders import ArrayReader
from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import DataError

FRAMES = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)


def test_frames_and_times():
    reader = ArrayReader(FRAMES, 4)
    assert len(reader) == 5 and reader.rate == 4
    np.testing.assert_allclose(reader.times[[0, 4]], [[0, 0.25], [1, 1.25]])
    assert [int(f[0, 0, 0]) for f in reader.get_frames([3, 0, 3])] == [3, 0, 3]
    reader.close()
    with pytest.raises(UnreadableVideoError, match='closed'):
        reader.get_frames([0])


@pytest.mark.parametrize(
    'frames', [FRAMES[0], FRAMES[..., :1], FRAMES.astype(np.float32), FRAMES[:0]]
)
def test_other_arrays_are_refused(frames):
    with pytest.raises(DataError, match='give RGB frames as uint8'):
        ArrayReader(frames)


def test_the_rate_is_positive():
    with pytest.raises(DataError, match='fps=0'):
        ArrayReader(FRAMES, 0)
