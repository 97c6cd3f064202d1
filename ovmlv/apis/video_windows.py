"""The places of the windows of a video."""

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

    A window begins at every stride. If that leaves the end of the video uncovered, one more window
    is added, which ends with the video. A video that is shorter than a window is one window.

    Args:
        begin: Begin of the video, in seconds.
        end: End of the video, in seconds.
        window: Length of a window, in seconds.
        stride: Seconds from one window to the next; None takes the length of a window, so that
            windows do not overlap.
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
