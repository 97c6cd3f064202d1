"""The choice of windows of a video that get probabilities of their own."""

from __future__ import annotations

import math

from .service_error import ServiceError

#: A timeline that nobody asked for in particular has about so many windows, of at least so long.
_WINDOWS, _SHORTEST = 32, 1.0
#: Seconds that may be asked for: no frame is shorter, no video as long.
LEAST, MOST = 0.001, 1e6


def choose_windows(
    duration: float, window: float | None, stride: float | None, most: int
) -> tuple[float, float]:
    """Length and distance of windows in seconds.

    Args:
        duration: Length of the video.
        window: Length that was asked for; None takes one that suits the duration.
        stride: Distance that was asked for; None takes half a window.
        most: Most windows that a video may have.
    """
    for name, value in (('window', window), ('stride', stride)):
        if value is not None and not LEAST <= value <= MOST:
            raise ServiceError(
                'invalid_request', f'{name} is {value}; give seconds from {LEAST:g} to {MOST:g}.'
            )
    if window is None:
        window = 2 * stride if stride else max(_SHORTEST, 2 * duration / _WINDOWS)
    stride = window / 2 if stride is None else stride
    if stride > window:
        raise ServiceError(
            'invalid_request',
            f'The stride of {stride:g} s is above the window of {window:g} s: it leaves gaps.',
        )
    if duration / stride > most:
        raise ServiceError(
            'too_many_windows',
            f'A window every {stride:g} s makes {math.ceil(duration / stride)} of this video; '
            f'the server takes {most}.',
        )
    return window, stride
