import pytest

from ovmlv.apis import Window
from ovmlv.apis.video_windows import split_windows
from ovmlv.errors import ConfigError


@pytest.mark.parametrize(
    ('begin', 'end', 'window', 'stride', 'expected'),
    [
        (0, 4, 2, None, [(0, 2), (2, 4)]),
        (0, 4, 2, 1, [(0, 2), (1, 3), (2, 4)]),
        (0, 5, 2, None, [(0, 2), (2, 4), (3, 5)]),
        (0, 1.5, 2, None, [(0, 1.5)]),
        (0.5, 3.5, 1, None, [(0.5, 1.5), (1.5, 2.5), (2.5, 3.5)]),
        (0, 0.9, 0.3, 0.3, [(0, 0.3), (0.3, 0.6), (0.6, 0.9)]),
    ],
)
def test_windows_cover_the_video(begin, end, window, stride, expected):
    assert split_windows(begin, end, window, stride) == tuple(Window(*e) for e in expected)


@pytest.mark.parametrize(
    ('window', 'stride', 'message'),
    [
        (0, None, 'window=0 must be'),
        (float('nan'), None, 'window=nan'),
        (2, -1, 'stride=-1'),
        (1, 2, 'would leave gaps'),
        (1, 1e-6, 'makes .* windows'),
    ],
)
def test_what_cannot_be_cut(window, stride, message):
    with pytest.raises(ConfigError, match=message):
        split_windows(0, 10, window, stride)
