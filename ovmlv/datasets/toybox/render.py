"""Pictures of scenes, with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from .assets import person_tile, sprite
from .scene import Actor, Scene
from .styles import mix, restyle
from .words import PERSON

_DARKEST = 0.45  # how bright a part of a body is that no light reaches


def render(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Frames, RGB uint8 ``(T, extent, extent, 3)``."""
    ground = background(rng, scene.extent)
    frames = np.empty((scene.num_frames, scene.extent, scene.extent, 3), np.uint8)
    pictures = [_Picture(actor) for actor in scene.actors]
    for t in range(scene.num_frames):
        frame = ground.copy()
        for picture in pictures:
            picture.draw(frame, t)
        frames[t] = np.clip(frame, 0, 255)
    return frames


def draw(frame: np.ndarray, actor: Actor, t: int) -> None:
    """Draw an actor onto a float32 frame ``(H, W, 3)`` in place."""
    _Picture(actor).draw(frame, t)


class _Picture:
    """The picture of an actor, which is made anew only where it changes."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self._made: tuple[int, int] | None = None  # tile and side in pixels
        self._small = np.empty(0)
        self._paint = None if actor.colors is None else _paint(actor.colors)

    def draw(self, frame: np.ndarray, t: int) -> None:
        """Draw it onto a float32 frame ``(H, W, 3)`` in place."""
        track = self.actor.track
        if track is None or not track.opacity[t]:
            return
        size = float(track.size[t])
        side = max(2, round(size))
        tile = int(track.tile[t]) if self.actor.thing == PERSON else 0
        if self._made != (tile, side):
            self._made, self._small = (tile, side), self._of_side(side, tile)
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), float(track.angle[t]), size / side)
        matrix[0, 2] += track.x[t] - side / 2
        matrix[1, 2] += track.y[t] - side / 2
        shape = (frame.shape[1], frame.shape[0])
        warped = cv2.warpAffine(self._small, matrix, shape, flags=cv2.INTER_LINEAR)
        frame *= 1 - warped[..., 3:] / 255
        frame += warped[..., :3]

    def _of_side(self, side: int, tile: int) -> np.ndarray:
        actor = self.actor
        if self._paint is not None:
            picture = self._paint[person_tile(actor.movement, actor.side, tile)]
        else:
            picture = _thing(actor).astype(np.float32)
            # Colours are weighted by opacity while they are made smaller: no dark rim appears.
            picture[..., :3] *= picture[..., 3:] / 255
        if actor.mirrored:
            picture = picture[:, ::-1]
        return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def _thing(actor: Actor) -> np.ndarray:
    picture = sprite(actor.family, actor.thing)
    if actor.mixture is not None:
        picture = mix(picture, sprite(actor.mixture.family, actor.thing), actor.mixture)
    return picture if actor.style is None else restyle(picture, actor.style)


def _paint(colors: np.ndarray) -> np.ndarray:
    """What each value of a person's tile is painted with, float32 ``(256, 4)``."""
    part, light = np.divmod(np.arange(256), 32)
    palette = np.zeros((8, 3), np.float32)
    palette[1 : 1 + len(colors)] = colors
    shade = _DARKEST + (1 - _DARKEST) * (light.astype(np.float32) / 31)
    return np.c_[palette[part] * shade[:, None], 255 * (part > 0)].astype(np.float32)


def background(rng: np.random.Generator, extent: int) -> np.ndarray:
    """A ground that is not plain, float32 ``(extent, extent, 3)``."""
    first, second = rng.uniform(40, 215, (2, 3))
    second = first + 0.5 * (second - first)
    y, x = np.mgrid[0:extent, 0:extent].astype(np.float32) / extent
    kind = rng.integers(5)
    if kind == 0:  # a slope
        angle = rng.uniform(0, 2 * np.pi)
        share = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5
    elif kind == 1:  # a floor and a wall
        share = (y > rng.uniform(0.45, 0.75)).astype(np.float32)
    elif kind == 2:  # tiles
        cell = rng.uniform(0.1, 0.25)
        share = (np.floor(x / cell + rng.random()) + np.floor(y / cell + rng.random())) % 2
    elif kind == 3:  # stripes
        angle, width = rng.uniform(0, np.pi), rng.uniform(0.08, 0.2)
        share = (np.sin((x * np.cos(angle) + y * np.sin(angle)) * np.pi / width) > 0).astype(float)
    else:  # clouds
        coarse = rng.random((4, 4)).astype(np.float32)
        share = cv2.resize(coarse, (extent, extent), interpolation=cv2.INTER_CUBIC)
    picture = first + (second - first) * np.clip(share, 0, 1)[..., None]
    return (picture + rng.normal(0, rng.uniform(1, 7), picture.shape)).astype(np.float32)
