"""Scenes of MotionShapes: their actors, how each actor moves, and which labels are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .render import IMAGE_SIZE, Pose, draw_actor, draw_background, jitter_color
from .world import BACKGROUNDS, COLORS, MOTIONS, SHAPES, Label, is_never_rendered_pair

_MARGIN = 11.0


@dataclass(frozen=True)
class Actor:
    """A coloured shape with a motion (``None`` in still images)."""

    shape: str
    color: str
    motion: str | None = None


@dataclass(frozen=True)
class Scene:
    """The content of one image or clip; everything drawn follows from it and a generator."""

    background: str
    actors: tuple[Actor, ...]

    def satisfies(self, label: Label) -> bool:
        """Whether ``label`` is true of this scene."""
        if label.background is not None:
            return label.background == self.background
        return any(
            (shape is None or shape == a.shape)
            and (color is None or color == a.color)
            and (motion is None or motion == a.motion)
            for shape, color, motion in label.facts
            for a in self.actors
        )


def sample_scene(
    rng: np.random.Generator,
    video: bool,
    hold_out_pairs: bool = False,
    counts: tuple[float, float, float] = (0.3, 0.45, 0.25),
) -> Scene:
    """Draw a scene with one to three actors of different shapes.

    Args:
        rng: The source of randomness.
        video: Whether every actor has a motion.
        hold_out_pairs: Whether to leave out the pairs of color and shape that pretraining never
            renders.
        counts: The probabilities of one, two and three actors.
    """
    count = int(rng.choice([1, 2, 3], p=counts))
    actors = []
    for shape_id in rng.choice(len(SHAPES), count, replace=False):
        shape = SHAPES[shape_id]
        colors = [c for c in COLORS if not (hold_out_pairs and is_never_rendered_pair(shape, c))]
        motion = MOTIONS[rng.integers(len(MOTIONS))] if video else None
        actors.append(Actor(shape, colors[rng.integers(len(colors))], motion))
    return Scene(BACKGROUNDS[rng.integers(len(BACKGROUNDS))], tuple(actors))


def _place(rng: np.random.Generator, count: int) -> np.ndarray:
    """Centres ``(count, 2)`` that keep actors apart where there is room."""
    best, best_distance = None, -1.0
    for _ in range(12):
        points = rng.uniform(_MARGIN, IMAGE_SIZE - _MARGIN, (count, 2))
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e3 * np.eye(count)
        if gaps.min() > best_distance:
            best, best_distance = points, float(gaps.min())
        if best_distance > 26:
            break
    assert best is not None  # any gap is more than none
    return best


def still_poses(scene: Scene, rng: np.random.Generator) -> list[Pose]:
    """Draw where the actors of a still image are."""
    return [
        Pose(x, y, rng.uniform(8.0, 14.5), rng.uniform(-0.3, 0.3))
        for x, y in _place(rng, len(scene.actors))
    ]


def render_image(
    scene: Scene, rng: np.random.Generator, poses: list[Pose] | None = None
) -> np.ndarray:
    """Draw a still image, RGB uint8 ``(64, 64, 3)``; motions are not seen in it."""
    frame = draw_background(scene.background, rng)
    for actor, pose in zip(scene.actors, poses or still_poses(scene, rng), strict=True):
        draw_actor(frame, actor.shape, jitter_color(actor.color, rng), pose)
    return np.clip(frame, 0, 255).astype(np.uint8)


def render_clip(scene: Scene, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a clip, RGB uint8 ``(num_frames, 64, 64, 3)``; motions last the whole clip."""
    background = draw_background(scene.background, rng)
    tracks = [
        (actor, jitter_color(actor.color, rng), trajectory(actor.motion, centre, num_frames, rng))
        for actor, centre in zip(scene.actors, _place(rng, len(scene.actors)), strict=True)
    ]
    frames = []
    for t in range(num_frames):
        frame = background.copy()
        for actor, color, poses in tracks:
            draw_actor(frame, actor.shape, color, poses[t])
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return np.stack(frames)


def trajectory(
    motion: str | None, centre: np.ndarray, num_frames: int, rng: np.random.Generator
) -> list[Pose]:
    """The poses of an actor over a clip.

    Any single frame of any motion looks like a still image, so that motions cannot be told
    from one frame.

    Raises:
        ValueError: If ``motion`` is not a motion of the world.
    """
    u = np.linspace(0, 1, num_frames)
    x, y = np.full(num_frames, float(centre[0])), np.full(num_frames, float(centre[1]))
    radius = np.full(num_frames, rng.uniform(9.0, 12.5))
    angle = np.full(num_frames, rng.uniform(-0.3, 0.3))
    opacity = np.ones(num_frames)
    direction = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}
    if motion is None or motion == 'standing still':
        pass
    elif motion.startswith('moving '):
        dx, dy = direction[motion.split()[1]]
        travel = rng.uniform(24, 36) * (u - 0.5)
        x, y = x + dx * travel, y + dy * travel
    elif motion in ('growing', 'shrinking'):
        factor = np.linspace(0.55, rng.uniform(1.3, 1.5), num_frames)
        radius = radius * (factor if motion == 'growing' else factor[::-1])
    elif motion == 'spinning':
        angle = angle + rng.choice([-1, 1]) * rng.uniform(1.0, 1.6) * 2 * np.pi * u
    elif motion == 'bouncing':
        y = y - 16 * np.abs(np.sin(np.pi * (2 * u + rng.uniform(0, 1)))) + 8
    elif motion == 'blinking':
        opacity = (np.sin(2 * np.pi * (3 * u + rng.uniform(0, 1))) > -0.2).astype(float)
    elif motion == 'shaking':
        sign = np.where(np.arange(num_frames) % 2, 1, -1)
        x = x + sign * rng.uniform(2.5, 4.5, num_frames)
        y = y + rng.uniform(-1.5, 1.5, num_frames)
    elif motion == 'circling':
        phase = rng.choice([-1, 1]) * 2 * np.pi * (u * rng.uniform(1.0, 1.4) + rng.uniform(0, 1))
        x, y = x + 11 * np.cos(phase), y + 11 * np.sin(phase)
    else:
        raise ValueError(f'unknown motion {motion!r}; the world has {", ".join(MOTIONS)}')
    # A track that would leave the picture is shifted as a whole, which keeps its motion intact.
    for track in (x, y):
        track += max(0.0, 7 - track.min()) - max(0.0, track.max() - (IMAGE_SIZE - 7))
    return [Pose(*values) for values in zip(x, y, radius, angle, opacity, strict=True)]
