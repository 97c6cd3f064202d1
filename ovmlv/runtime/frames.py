"""From frames of any size to views of the size that a model takes."""

from __future__ import annotations

import functools

import numpy as np

from ovmlv.errors import DataError

_SHARPNESS = -0.5  # of the cubic, as in Pillow and in torch's antialiased interpolation


def make_views(
    frames: np.ndarray,
    size: tuple[int, int],
    short_side: int | None = None,
    num_crops: int = 1,
    squash: bool = False,
) -> np.ndarray:
    """Resize and crop.

    Args:
        frames: Frames ``(T, H, W, 3)``, uint8 or floating point.
        size: Height and width of a crop.
        short_side: Size to which the shorter side is resized; with None, frames just fill the crop.
        num_crops: Number of crops: 1 (the centre), or 3 (the centre and both ends of the longer
            side).
        squash: Resize to ``size`` whatever the shape of the frames is, and crop nothing.

    Returns:
        ``(num_crops, T, *size, 3)`` of the type of the frames.
    """
    if squash:
        return resize(frames, size)[None]
    (height, width), (h, w) = frames.shape[1:3], size
    scale = max(h / height, w / width) if short_side is None else short_side / min(height, width)
    target = round(height * scale), round(width * scale)
    if short_side is None:
        target = max(h, target[0]), max(w, target[1])
    if target[0] < h or target[1] < w:
        raise DataError(
            f'frames of {width}x{height} become {target[1]}x{target[0]}, less than the '
            f'{w}x{h} of the model; set short_side in meta.json to null'
        )
    resized = resize(frames, target)
    top, left = (target[0] - h) // 2, (target[1] - w) // 2
    steps = (1,) if num_crops == 1 else (0, 1, 2)
    return np.stack([resized[:, i * top :, i * left :][:, :h, :w] for i in steps])


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bicubic with antialiasing, ``(T, H, W, 3) -> (T, *size, 3)``, as torch and Pillow do it."""
    if frames.shape[1:3] == tuple(size):
        return frames
    rows, columns = (_weights(a, b) for a, b in zip(frames.shape[1:3], size, strict=True))
    out = np.empty((len(frames), *size, frames.shape[3]), frames.dtype)
    for i, frame in enumerate(frames):  # one by one, so that floats of all need not fit
        picture = np.einsum('wv,hvc->hwc', columns, frame.astype(np.float32), optimize=True)
        picture = np.einsum('gh,hwc->gwc', rows, picture, optimize=True)
        if frames.dtype == np.uint8:
            picture = picture.round().clip(0, 255)
        out[i] = picture
    return out


@functools.lru_cache(16)
def _weights(length: int, target: int) -> np.ndarray:
    """Each of ``target`` new pixels as a weighted sum of ``length`` old ones."""
    scale = length / target
    wide = max(scale, 1.0)
    centers = scale * (np.arange(target)[:, None] + 0.5)
    x = np.abs((np.arange(length) + 0.5 - centers) / wide)
    near = ((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x**2 + 1
    far = _SHARPNESS * (((x - 5) * x + 8) * x - 4)
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
