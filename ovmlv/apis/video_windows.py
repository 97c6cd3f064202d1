"""Where the windows of a video are."""

from __future__ import annotations

import math

from ovmlv.datasets.segments import sliding_windows
from ovmlv.errors import ConfigError
from ovmlv.results import Window

_MAX_WINDOWS = 100_000


def split_windows(
    begin: float, end: float, window: float, stride: float | None = None
) -> tuple[Window, ...]:
    """Windows of equal length that cover a video.

    They begin at every stride. What that leaves uncovered gets one more, which ends with the video;
    a video shorter than a window is one window.

    Args:
        begin: Where the video begins, in seconds.
        end: Where it ends.
        window: Seconds of a window.
        stride: Seconds from one to the next; None is the window, so that they do not overlap.
    """
    stride = window if stride is None else stride
    for name, value in (('window', window), ('stride', stride)):
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f'{name}={value} must be a number of seconds above 0')
    if stride > window:
        raise ConfigError(f'stride={stride:g} is above window={window:g} and would leave gaps')
    duration = end - begin
    if duration / stride > _MAX_WINDOWS:
        raise ConfigError(
            f'stride={stride:g} makes {duration / stride:.3g} windows of a video of '
            f'{duration:.0f} s; give at least {duration / _MAX_WINDOWS:.3g}'
        )
    spans = sliding_windows(duration, window, stride)
    return tuple(Window(round(begin + a, 6), round(begin + b, 6)) for a, b in spans)
