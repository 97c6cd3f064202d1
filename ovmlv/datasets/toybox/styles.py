"""Random changes of a drawing's style, for pretraining.

A tower that learns things from the drawings of a few hands learns the hands as well. Colours,
shading, outlines and proportions that change at random leave it the shapes, which the drawings of
a new hand share; and where two hands' drawings of a thing are mixed, what is left is what they have
in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Style:
    """A change of a drawing.

    Attributes:
        hue: Turn of all hues, in OpenCV's units of two degrees.
        saturation: Factor of saturation.
        gain: Factor of brightness.
        gamma: Exponent of brightness.
        levels: Number of levels that brightness is flattened to, or 0.
        shading: Slope of brightness over the drawing, to the right and downwards.
        outline: Width in pixels, or 0.
        outline_color: RGB.
        matrix: Linear change of proportions ``(2, 2)``.
        bend: Displacement at a coarse grid, a share of the side ``(4, 4, 2)``, or None.
    """

    hue: float
    saturation: float
    gain: float
    gamma: float
    levels: int
    shading: tuple[float, float]
    outline: int
    outline_color: tuple[float, float, float]
    matrix: np.ndarray
    bend: np.ndarray | None


@dataclass(frozen=True)
class Mixture:
    """A mixture of a drawing with another hand's drawing of the same thing.

    Attributes:
        family: Who drew the other.
        shares: Share of the drawing itself at a coarse grid ``(K, K)``; None for its fine detail
            over the other's shades.
        blur: Where detail ends, in pixels.
    """

    family: str
    shares: np.ndarray | None
    blur: float


def sample_mixture(rng: np.random.Generator, families: Sequence[str]) -> Mixture:
    """A mixture with one of these families: as a whole, by places, or of detail and shades."""
    family = families[int(rng.integers(len(families)))]
    kind = rng.integers(3)
    if kind == 2:
        return Mixture(family, None, float(rng.uniform(2, 7)))
    coarse = rng.random((1, 1) if kind == 0 else (4, 4)).astype(np.float32)
    return Mixture(family, coarse if kind == 0 else 0.5 + 2.5 * (coarse - 0.5), 0.0)


def mix(picture: np.ndarray, other: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Two drawings of a thing, RGBA uint8 ``(S, S, 4)``, as one of the same shape."""
    first, second = (_weighted(drawing.astype(np.float32)) for drawing in (picture, other))
    if mixture.shares is None:
        blur = (0, 0), mixture.blur
        mixed = cv2.GaussianBlur(second, *blur) + first - cv2.GaussianBlur(first, *blur)
        mixed[..., 3] = first[..., 3]
        mixed[..., :3] = np.clip(mixed[..., :3], 0, first[..., 3:])
    else:
        size = picture.shape[1], picture.shape[0]
        share = cv2.resize(mixture.shares, size, interpolation=cv2.INTER_CUBIC)
        share = np.clip(share, 0, 1)[..., None]
        mixed = share * first + (1 - share) * second
    return _unweighted(mixed).astype(np.uint8)


def sample_style(rng: np.random.Generator) -> Style:
    """A style: seldom far from the drawing's own in hue, since colours tell things apart."""
    turned = rng.random()
    hue = rng.uniform(0, 180) if turned < 0.12 else rng.normal(0, 6)
    saturation = 0.0 if rng.random() < 0.12 else rng.uniform(0.5, 1.5)
    stretch, shear = np.exp(rng.normal(0, 0.12)), rng.normal(0, 0.12)
    dark = rng.random() < 0.7
    color = rng.uniform(0, 70, 3) if dark else rng.uniform(170, 255, 3)
    return Style(
        hue=float(hue),
        saturation=float(saturation),
        gain=float(rng.uniform(0.7, 1.25)),
        gamma=float(np.exp(rng.normal(0, 0.25))),
        levels=int(rng.integers(3, 7)) if rng.random() < 0.2 else 0,
        shading=tuple(rng.normal(0, 0.3, 2)) if rng.random() < 0.5 else (0.0, 0.0),
        outline=int(rng.integers(1, 3)) if rng.random() < 0.25 else 0,
        outline_color=tuple(color),
        matrix=np.array([[stretch, shear], [0, 1 / stretch]]),
        bend=rng.normal(0, 0.025, (4, 4, 2)).astype(np.float32) if rng.random() < 0.6 else None,
    )


def restyle(picture: np.ndarray, style: Style) -> np.ndarray:
    """A drawing, RGBA uint8 ``(S, S, 4)``, in another style: float32 of the same shape."""
    side = picture.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
    color = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2HSV)
    color = color.astype(np.float32)
    color[..., 0] = (color[..., 0] + style.hue) % 180
    color[..., 1] = np.minimum(color[..., 1] * style.saturation, 255)
    value = (color[..., 2] / 255) ** style.gamma * style.gain
    value = value * (1 + style.shading[0] * x + style.shading[1] * y)
    if style.levels:
        value = np.round(value * style.levels) / style.levels
    color[..., 2] = 255 * np.clip(value, 0, 1)
    color = cv2.cvtColor(np.clip(color, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    alpha = picture[..., 3]
    if style.outline:
        wide = cv2.dilate(alpha, np.ones((2 * style.outline + 1,) * 2, np.uint8))
        share = alpha[..., None].astype(np.float32) / 255
        rim = np.asarray(style.outline_color, np.float32)
        color = (share * color + (1 - share) * rim).astype(np.uint8)
        alpha = wide
    # Where a place of the new drawing comes from in the old one.
    inverse = np.linalg.inv(style.matrix)
    from_x = inverse[0, 0] * x + inverse[0, 1] * y
    from_y = inverse[1, 0] * x + inverse[1, 1] * y
    if style.bend is not None:
        bend = cv2.resize(style.bend, (side, side), interpolation=cv2.INTER_CUBIC)
        from_x, from_y = from_x + bend[..., 0], from_y + bend[..., 1]
    maps = [((where + 0.5) * side).astype(np.float32) for where in (from_x, from_y)]
    full = np.concatenate([color, alpha[..., None]], -1).astype(np.float32)
    return _unweighted(cv2.remap(_weighted(full), maps[0], maps[1], cv2.INTER_LINEAR))


def _weighted(drawing: np.ndarray) -> np.ndarray:
    """Colours weighted by opacity, so that what cannot be seen is not mixed into what can."""
    return np.concatenate([drawing[..., :3] * (drawing[..., 3:] / 255), drawing[..., 3:]], -1)


def _unweighted(drawing: np.ndarray) -> np.ndarray:
    shares = np.maximum(drawing[..., 3:] / 255, 1e-3)
    return np.clip(np.concatenate([drawing[..., :3] / shares, drawing[..., 3:]], -1), 0, 255)
