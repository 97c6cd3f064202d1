"""Drawing of MotionShapes: sprites, backgrounds and frames, with OpenCV."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from .world import COLORS, SHAPES

IMAGE_SIZE = 64
#: Side of a sprite's mask in pixels, and the radius that the shape fills in it.
_SPRITE, _RADIUS = 64, 26.0
_OVERSAMPLE = 4


class Pose(NamedTuple):
    """Where and how an actor is drawn: centre and radius in pixels, angle in radians."""

    x: float
    y: float
    radius: float
    angle: float = 0.0
    opacity: float = 1.0


def _regular(n: int, start: float = -np.pi / 2, radii: tuple[float, ...] = (1.0,)) -> np.ndarray:
    angles = start + np.arange(n) * 2 * np.pi / n
    r = np.resize(np.array(radii), n)
    return np.stack([r * np.cos(angles), r * np.sin(angles)], 1)


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y - y.mean() * 0.4], 1) / 17.0


_POLYGONS: dict[str, list[np.ndarray]] = {
    'square': [np.array([[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]])],
    'triangle': [np.array([[0, -0.98], [0.98, 0.78], [-0.98, 0.78]])],
    'star': [_regular(10, radii=(1.05, 0.42))],
    'heart': [_heart()],
    'cross': [
        np.array([[-0.3, -1], [0.3, -1], [0.3, 1], [-0.3, 1]]),
        np.array([[-1, -0.3], [1, -0.3], [1, 0.3], [-1, 0.3]]),
    ],
    'arrow': [
        np.array([[0, -1.05], [0.85, -0.05], [-0.85, -0.05]]),
        np.array([[-0.27, -0.1], [0.27, -0.1], [0.27, 1], [-0.27, 1]]),
    ],
    'house': [
        np.array([[0, -1], [1.05, -0.1], [-1.05, -0.1]]),
        np.array([[-0.72, -0.12], [0.72, -0.12], [0.72, 0.95], [0.22, 0.95], [0.22, 0.35],
                  [-0.22, 0.35], [-0.22, 0.95], [-0.72, 0.95]]),
    ],
    'tree': [
        np.array([[0, -1.1], [0.6, -0.35], [-0.6, -0.35]]),
        np.array([[0, -0.7], [0.8, 0.5], [-0.8, 0.5]]),
        np.array([[-0.17, 0.45], [0.17, 0.45], [0.17, 1.1], [-0.17, 1.1]]),
    ],
    'fish': [np.array([[0.35, 0], [1.1, -0.65], [1.1, 0.65]])],
    'boat': [
        np.array([[-1.05, 0.35], [1.05, 0.35], [0.65, 0.9], [-0.65, 0.9]]),
        np.array([[-0.1, -1], [-0.1, 0.22], [-0.85, 0.22]]),
        np.array([[0.08, -0.75], [0.85, 0.22], [0.08, 0.22]]),
    ],
    'mushroom': [np.array([[-0.25, 0], [0.25, 0], [0.33, 1.0], [-0.33, 1.0]])],
}  # fmt: skip
#: (centre x, centre y, radius x, radius y, filled?) drawn after the polygons.
_ELLIPSES: dict[str, list[tuple[float, float, float, float, bool]]] = {
    'circle': [(0, 0, 0.95, 0.95, True)],
    'ring': [(0, 0, 1.0, 1.0, True), (0, 0, 0.52, 0.52, False)],
    'moon': [(0, 0, 1.0, 1.0, True), (0.48, -0.12, 0.82, 0.82, False)],
    'fish': [(-0.22, 0, 0.82, 0.52, True)],
    'flower': [
        *((0.6 * np.cos(a), 0.6 * np.sin(a), 0.4, 0.4, True)
          for a in np.arange(5) * 2 * np.pi / 5 - np.pi / 2),
        (0, 0, 0.26, 0.26, False),
    ],
    'cloud': [(-0.55, 0.2, 0.48, 0.42, True), (0.0, -0.12, 0.58, 0.55, True),
              (0.58, 0.2, 0.45, 0.42, True), (0, 0.38, 0.75, 0.26, True)],
}  # fmt: skip


@lru_cache(maxsize=1)
def sprites() -> np.ndarray:
    """Masks and shading of all shapes, float32 ``(num_shapes, 2, 64, 64)`` in [0, 1].

    The second plane darkens one side of the shape, so that a turning circle is seen to turn.
    """
    size = _SPRITE * _OVERSAMPLE
    radius = _RADIUS * _OVERSAMPLE
    planes = []
    shading = np.ones((size, size), np.float32)
    cv2.ellipse(shading, (size // 2, size // 2), (size, size), 0, 20, 110, 0.62, -1)
    for shape in SHAPES:
        mask = np.zeros((size, size), np.float32)
        for polygon in _POLYGONS.get(shape, []):
            cv2.fillPoly(mask, [np.round(polygon * radius + size / 2).astype(np.int32)], 1.0)
        for cx, cy, rx, ry, filled in _ELLIPSES.get(shape, []):
            centre = (round(cx * radius + size / 2), round(cy * radius + size / 2))
            axes = (round(rx * radius), round(ry * radius))
            cv2.ellipse(mask, centre, axes, 0, 0, 360, float(filled), -1)
        if shape == 'mushroom':  # a half disc on a stem
            centre = (size // 2, round(0.08 * radius + size / 2))
            cv2.ellipse(mask, centre, (round(radius), round(0.95 * radius)), 0, 180, 360, 1.0, -1)
        small = (_SPRITE, _SPRITE)
        planes.append([cv2.resize(p, small, interpolation=cv2.INTER_AREA) for p in (mask, shading)])
    return np.array(planes, np.float32)


def draw_background(name: str, rng: np.random.Generator, size: int = IMAGE_SIZE) -> np.ndarray:
    """A grey, slightly tinted background, float32 ``(size, size, 3)`` in 0-255.

    Raises:
        ValueError: If ``name`` is not a background of the world.
    """
    low, high = rng.uniform(85, 105), rng.uniform(140, 165)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    period, phase = rng.uniform(9, 15), rng.uniform(0, 15)
    if name == 'plain':
        pattern = np.full((size, size), rng.uniform(0, 1), np.float32)
    elif name == 'striped':
        angle = rng.uniform(0, np.pi)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle) + phase) * 2 * np.pi / period)
        pattern = (wave > 0).astype(np.float32)
    elif name == 'checkered':
        cell = period * 0.75
        pattern = (np.floor((x + phase) / cell) + np.floor((y + phase) / cell)) % 2
    elif name == 'dotted':
        fx, fy = ((x + phase) % period) - period / 2, ((y + phase) % period) - period / 2
        pattern = (fx**2 + fy**2 < (0.3 * period) ** 2).astype(np.float32)
    elif name == 'noisy':
        coarse = rng.uniform(0, 1, (size // 2, size // 2)).astype(np.float32)
        sizes = (size, size)
        pattern = np.asarray(cv2.resize(coarse, sizes, interpolation=cv2.INTER_NEAREST))
    elif name == 'gradient':
        angle = rng.uniform(0, 2 * np.pi)
        ramp = x * np.cos(angle) + y * np.sin(angle)
        pattern = (ramp - ramp.min()) / np.ptp(ramp)
        low, high = 65.0, 190.0
    else:
        raise ValueError(f'unknown background {name!r}; the world has other names, see world.py')
    grey = low + (high - low) * pattern
    tint = 1 + rng.uniform(-0.05, 0.05, 3)
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.float32)


def jitter_color(color: str, rng: np.random.Generator) -> np.ndarray:
    """An instance of a named color, RGB float32 ``(3,)``."""
    base = np.array(COLORS[color], np.float32)
    return np.clip(base * rng.uniform(0.92, 1.06) + rng.uniform(-8, 8, 3), 0, 255).astype(
        np.float32
    )


def draw_actor(frame: np.ndarray, shape: str, color: np.ndarray, pose: Pose) -> None:
    """Draw an actor onto ``frame`` (float32 ``(H, W, 3)``) in place."""
    if pose.opacity <= 0:
        return
    scale = pose.radius / _RADIUS
    cos, sin = scale * np.cos(pose.angle), scale * np.sin(pose.angle)
    centre = _SPRITE / 2
    matrix = np.array(
        [
            [cos, -sin, pose.x - centre * (cos - sin)],
            [sin, cos, pose.y - centre * (sin + cos)],
        ],
        np.float32,
    )
    size = (frame.shape[1], frame.shape[0])
    mask, shading = sprites()[SHAPES.index(shape)]
    mask = cv2.warpAffine(mask, matrix, size)[..., None] * pose.opacity
    shading = cv2.warpAffine(shading, matrix, size, borderMode=cv2.BORDER_REPLICATE)[..., None]
    frame += mask * (color * shading - frame)
