"""How actors move over a clip: paths of things, of people, and of two that are related."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assets import body_height, human_motions, people_settings

FPS = 8


@dataclass
class Track:
    """Where and how an actor is in each of T frames.

    Attributes:
        x: Centre in pixels ``(T,)``, to the right.
        y: Centre in pixels ``(T,)``, downwards.
        size: Side of the drawing in pixels.
        angle: Angle in degrees, anticlockwise.
        opacity: 0 or 1.
        tile: Frame of the movement, for a person.
    """

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray
    angle: np.ndarray
    opacity: np.ndarray
    tile: np.ndarray

    @classmethod
    def resting(cls, num_frames: int, x: float, y: float, size: float, angle: float = 0) -> Track:
        """An actor that does nothing."""
        same = [np.full(num_frames, float(value)) for value in (x, y, size, angle, 1)]
        x_at, y_at, size_at, angle_at, opacity = same
        return cls(x_at, y_at, size_at, angle_at, opacity, np.zeros(num_frames, int))

    def keep_inside(self, extent: float) -> None:
        """Shift the whole path into the picture, which keeps the motion intact."""
        for path in (self.x, self.y):
            margin = 0.35 * float(self.size.max())
            low, high = path.min() - margin, path.max() + margin
            if high - low > extent:  # too long for it: keep the middle in the middle
                path += extent / 2 - (low + high) / 2
            else:
                path += max(0.0, -low) - max(0.0, high - extent)


def move_thing(track: Track, doing: str, rng: np.random.Generator, extent: float) -> None:
    """Give a resting track one of the motions of things.

    Any single frame of any of these motions may be one of any other.
    """
    num_frames = len(track.x)
    u = np.linspace(0, 1, num_frames)
    seconds = num_frames / FPS
    sides = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}
    if doing in sides:
        travel = rng.uniform(0.35, 0.55) * extent * (u - 0.5)
        track.x += sides[doing][0] * travel
        track.y += sides[doing][1] * travel
    elif doing in ('grow', 'shrink'):
        factor = np.geomspace(0.6, rng.uniform(1.35, 1.6), num_frames)
        track.size *= factor if doing == 'grow' else factor[::-1]
    elif doing == 'turn':
        track.angle += rng.choice([-1, 1]) * rng.uniform(150, 230) * seconds * u
    elif doing == 'bounce':
        hops = np.abs(np.sin(np.pi * (rng.uniform(0.9, 1.3) * seconds * u + rng.uniform(0, 1))))
        track.y -= rng.uniform(0.2, 0.3) * extent * (hops - 0.5)
    elif doing == 'blink':
        wave = np.sin(2 * np.pi * (rng.uniform(1.1, 1.6) * seconds * u + rng.uniform(0, 1)))
        track.opacity[:] = wave > -0.2
    elif doing == 'shake':
        sign = np.where(np.arange(num_frames) % 2, 1, -1)
        track.x += sign * rng.uniform(0.03, 0.06, num_frames) * extent
        track.y += rng.uniform(-0.02, 0.02, num_frames) * extent
    elif doing == 'circle':
        turns = rng.choice([-1, 1]) * rng.uniform(0.35, 0.55) * seconds
        phase = 2 * np.pi * (turns * u + rng.uniform(0, 1))
        radius = rng.uniform(0.13, 0.18) * extent
        track.x += radius * np.cos(phase)
        track.y += radius * np.sin(phase)
    elif doing != 'still':
        raise ValueError(f'{doing!r} is no motion of a thing')
    track.keep_inside(extent)


def move_person(
    track: Track, doing: str, side: int, rng: np.random.Generator, extent: float
) -> float:
    """Give a resting track a human movement, with a part of its way over the ground.

    Returns:
        Distance that the person moves to the right, in pixels.
    """
    motion, settings = human_motions()[doing], people_settings()
    num_frames = len(track.x)
    steps = np.arange(num_frames) * settings['rate'] / FPS * rng.uniform(0.85, 1.2)
    if motion.loops:
        steps = steps + rng.uniform(0, motion.frames)
        loops, tiles = np.divmod(steps, motion.frames)
    else:
        # Played once, somewhere in the clip, with the first and the last pose held.
        spare = max(0.0, steps[-1] - (motion.frames - 1))
        steps = steps - rng.uniform(0, spare)
        loops, tiles = np.zeros(num_frames), np.clip(steps, 0, motion.frames - 1)
    track.tile = np.minimum(tiles.astype(int), motion.frames - 1)
    way = motion.path[track.tile] + loops[:, None] * motion.path[-1]
    angle = 2 * np.pi * side / settings['sides']
    right = way @ np.array([-np.sin(angle), np.cos(angle)])
    right = (right - right[0]) * track.size[0] / settings['metres']
    # The camera of a scene stands still, and people cross it slowly enough to be seen.
    reach = float(np.ptp(right))
    right *= min(1.0, rng.uniform(0.35, 0.5) * extent / reach) if reach > 0 else 1.0
    track.x += right - right.mean()
    track.y -= body_height(doing, side) * track.size
    track.keep_inside(extent)
    return float(right[-1])


def relate(
    first: Track, second: Track, relation: str, rng: np.random.Generator, extent: float
) -> int:
    """Give two resting tracks a common motion, in which the first one acts.

    Returns:
        1 if the first goes to the right, -1 if to the left.
    """
    num_frames = len(first.x)
    u = np.linspace(0, 1, num_frames)
    way = int(rng.choice([-1, 1]))
    level = extent * rng.uniform(0.35, 0.65)
    middle = extent / 2
    first.y[:] = second.y[:] = level
    gap = 0.5 * float(first.size[0] + second.size[0])
    if relation == 'chase':
        # Both along the same winding way, the chaser behind and a little faster.
        wind = rng.uniform(0.08, 0.14) * extent
        lead, tail = -0.12 + 0.5 * u, -0.62 + 0.72 * u
        waves, start = rng.uniform(0.7, 1.1), rng.uniform(0, 1)
        for track, place in ((second, lead), (first, tail)):
            track.x[:] = middle + way * extent * place
            track.y += wind * np.sin(2 * np.pi * (waves * place + start))
    elif relation == 'overtake':
        first.x[:] = middle + way * extent * (-0.38 + 0.8 * u)
        second.x[:] = middle + way * extent * (-0.08 + 0.22 * u)
        first.y += 0.22 * gap
        second.y -= 0.45 * gap
    elif relation == 'behind':
        second.x[:] = middle + rng.uniform(-0.06, 0.06) * extent
        first.x[:] = middle + way * extent * (-0.42 + 0.84 * u)
        first.y -= 0.1 * gap
    elif relation == 'collide':
        hit = rng.uniform(0.45, 0.6)
        apart = np.where(u < hit, 0.38 * (1 - u / hit), 0.2 * (u - hit) / (1 - hit))
        first.x[:] = middle - way * (0.42 * gap + extent * apart)
        second.x[:] = middle + way * (0.42 * gap + extent * apart)
        turn = np.clip(u - hit, 0, None) * rng.uniform(60, 120)
        first.angle -= way * turn
        second.angle += way * turn
    elif relation == 'carry':
        second.size *= 0.6
        first.x[:] = middle + way * extent * (-0.28 + 0.56 * u)
        second.x[:] = first.x
        first.y[:] = extent * rng.uniform(0.55, 0.68)
        second.y[:] = first.y - 0.42 * first.size - 0.42 * second.size
    else:
        raise ValueError(f'{relation!r} is no relation of two actors')
    return way
