"""Turning pictures as the display matrix of their container says."""

from __future__ import annotations

from typing import Any

import numpy as np

from ovmlv.errors import UnreadableVideoError


def upright(picture: np.ndarray, matrix: Any) -> np.ndarray:
    """The picture as it is to be shown.

    The matrix (a, b, u, c, d, v, x, y, w) sends the pixel (p, q) to (a p + c q, b p + d q); see
    ``libavutil/display.h``. Phones write quarter turns, and mirror images for some front cameras.

    Args:
        picture: ``(H, W, 3)``.
        matrix: Nine little-endian int32 in 16.16, or None for a picture that stays as it is.

    Raises:
        UnreadableVideoError: The picture is turned by an angle that is not a multiple of 90
            degrees.
    """
    if matrix is None:
        return picture
    a, b, _, c, d = np.frombuffer(matrix, dtype='<i4')[:5] / 65536
    straight, crossed = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) < 0.01 * straight:
        flip_x, flip_y = a < 0, d < 0
    elif max(abs(a), abs(d)) < 0.01 * crossed:
        picture = picture.swapaxes(0, 1)
        flip_x, flip_y = c < 0, b < 0
    elif not np.any([a, b, c, d]):
        return picture
    else:
        angle = np.degrees(np.arctan2(b, a))
        raise UnreadableVideoError(f'it is turned by {angle:.0f} degrees; only 90s are supported')
    picture = picture[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    return np.ascontiguousarray(picture)
