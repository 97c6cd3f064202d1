"""Scenes of Toybox: their actors, what these do, and which labels are true."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .assets import HELD_OUT_FAMILY, concepts, families, human_motions, people_settings
from .styles import Mixture, Style, sample_mixture, sample_style
from .tracks import FPS, Track, move_person, move_thing, relate
from .words import PERSON, RELATIONS, Label, thing_motions

#: Doing -> what it may also look like, so that its truth is unknown.
MAYBE: dict[str, frozenset[str]] = {
    name: frozenset(others)
    for name, others in dict(
        walk=['overtake'], run=['overtake', 'chase'], jump=['up', 'down', 'bounce'],
        spin=['turn', 'dance_a', 'dance_b'], spinkick=['spin', 'turn', 'kick', 'jump'],
        roll=['turn', 'crawl', 'getup_faceup', 'down', 'up'],
        cartwheel=['turn', 'spin', 'roll', 'jump'],
        backflip=['turn', 'spin', 'jump', 'up', 'down', 'roll'], dance_a=['spin', 'jump', 'turn'],
        dance_b=['spin', 'jump', 'turn'], getup_facedown=['up', 'crawl', 'roll'],
        getup_faceup=['up', 'crawl', 'roll'], crawl=['getup_facedown'], punch=['left', 'right'],
        bounce=['up', 'down', 'jump'], circle=['left', 'right', 'up', 'down'], blink=['still'],
        grow=['still'], shrink=['still'], turn=['still', 'roll', 'spin'], shake=['still'],
        collide=['turn', 'bounce'], behind=['overtake'], overtake=['chase', 'behind'],
        carry=[], chase=['up', 'down'], left=['walk', 'run'], right=['walk', 'run'],
    ).items()
}  # fmt: skip
_CLOTHES = ('shirt', 'trousers', 'shoes')
#: Number of actors -> side of a drawing, as a share of the picture.
_SIZES = {1: (0.5, 0.8), 2: (0.36, 0.5), 3: (0.32, 0.42), 4: (0.28, 0.38)}
#: A person's tile has much room around the body. Seen at 64 pixels, limbs are told apart from a
#: tile of some 55 pixels on, so that in a crowd people are larger than things.
_LEAST_PERSON, _PERSON_GROWTH = 0.6, 0.95
_NEAR = 0.12  # of the picture: a way that is shorter may be seen as none


@dataclass(frozen=True)
class Actor:
    """A thing or a person.

    Attributes:
        thing: Number of the concept, or PERSON.
        family: Family of its drawing; empty for a person.
        does: Actions that it surely does.
        maybe: Actions that it may be seen to do.
        track: Its place in each frame; None in a still image.
        side: Side from which a person is seen.
        movement: Movement of a person that is drawn.
        mirrored: Whether it is drawn mirrored.
        colors: Colours of a person: skin, shirt, trousers, shoes, RGB ``(4, 3)``.
        style: Change of the drawing's style.
        mixture: What the drawing is mixed with.
    """

    thing: int
    family: str = ''
    does: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()
    track: Track | None = None
    side: int = 0
    movement: str = ''
    mirrored: bool = False
    colors: np.ndarray | None = None
    style: Style | None = None
    mixture: Mixture | None = None


@dataclass(frozen=True)
class Scene:
    """The actors of a clip or image, the farthest first."""

    actors: tuple[Actor, ...]
    num_frames: int
    extent: int

    def truth(self, label: Label) -> int:
        """1 if a label is true of the scene, 0 if it is false, -1 if that cannot be told."""
        found = 0
        for actor in self.actors:
            if label.things and actor.thing not in label.things:
                continue
            if not label.doings or label.doings & actor.does:
                return 1
            if label.doings & actor.maybe:
                found = -1
        return found


def drawn_by(concept: int, held_out: bool) -> list[str]:
    """Families that draw a concept: the held-out one, or all others."""
    who = set(concepts()[concept].families)
    return [f for f in families() if f in who and (f == HELD_OUT_FAMILY) == held_out]


def sample_scene(
    rng: np.random.Generator,
    extent: int = 80,
    held_out: bool = False,
    weights: Sequence[float] | None = None,
) -> Scene:
    """The scene of a video: one to four actors, a third of them people; often two are related.

    Args:
        rng: The source of randomness.
        extent: Side of the picture in pixels.
        held_out: Whether things are drawn by the held-out family rather than by the others.
        weights: How often each concept occurs; by default, all occur alike.
    """
    num_frames = int(rng.integers(2 * FPS, 4 * FPS + 1))
    count = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.35, 0.2, 0.1]))
    places = _places(rng, count, extent)
    related = count > 1 and rng.random() < 0.5
    chosen = rng.choice(len(concepts()), count, replace=False, p=weights).tolist()
    actors = []
    for i, (x, y) in enumerate(places):
        size = rng.uniform(*_SIZES[count])
        track = Track.resting(num_frames, x, y, size * extent, rng.uniform(-12, 12))
        person = rng.random() < (0.55 if count == 1 else 0.35)
        if related and i < 2:
            actors.append((chosen[i] if i or not person else PERSON, track))
        elif person:
            actors.append((PERSON, track))
        else:
            actors.append((chosen[i], track))
    done: list[Actor] = []
    if related:
        done += _related(actors[0], actors[1], rng, extent, held_out)
        actors = actors[2:]
    for thing, track in actors:
        act = _act_as_person if thing == PERSON else _act_as_thing
        done.append(act(thing, track, rng, extent, held_out))
    return Scene(tuple(done), num_frames, extent)


def sample_image(
    rng: np.random.Generator,
    extent: int = 80,
    held_out: bool = False,
    weights: Sequence[float] | None = None,
    counts: Sequence[float] = (0.5, 0.3, 0.15, 0.05),
    styled: bool = False,
    mixed: float = 0.0,
) -> Scene:
    """The scene of a still image: only things, which do nothing that could be seen or said.

    Args:
        rng: The source of randomness.
        extent: Side of the picture in pixels.
        held_out: Whether things are drawn by the held-out family rather than by the others.
        weights: How often each concept occurs; by default, all occur alike.
        counts: Shares of images with one thing, two, and so on.
        styled: Whether the style of each drawing is changed at random.
        mixed: Probability that a drawing is mixed with another hand's, where there is one.
    """
    count = 1 + int(rng.choice(len(counts), p=counts))
    actors = []
    chosen = rng.choice(len(concepts()), count, replace=False, p=weights).tolist()
    for thing, (x, y) in zip(chosen, _places(rng, count, extent)):
        size = rng.uniform(*{1: (0.4, 0.85), 2: (0.34, 0.5)}.get(count, (0.26, 0.42)))
        track = Track.resting(1, x, y, size * extent, rng.uniform(-25, 25))
        track.keep_inside(extent)
        drawing = _drawing(thing, held_out, rng)
        style = sample_style(rng) if styled else None
        others = [family for family in drawn_by(thing, held_out) if family != drawing.family]
        mixture = sample_mixture(rng, others) if mixed and others and rng.random() < mixed else None
        actors.append(dataclasses.replace(drawing, track=track, style=style, mixture=mixture))
    return Scene(tuple(actors), 1, extent)


def _act_as_thing(
    thing: int, track: Track, rng: np.random.Generator, extent: int, held_out: bool
) -> Actor:
    doing = _pick(thing_motions(), rng)
    move_thing(track, doing, rng, extent)
    return dataclasses.replace(
        _drawing(thing, held_out, rng),
        does=frozenset([doing]), maybe=MAYBE.get(doing, frozenset()), track=track,
    )  # fmt: skip


def _drawing(thing: int, held_out: bool, rng: np.random.Generator) -> Actor:
    """A thing by one of the families that draw it."""
    family = _pick(drawn_by(thing, held_out), rng)
    return Actor(thing, family, mirrored=bool(rng.random() < 0.5))


def _act_as_person(
    thing: int, track: Track, rng: np.random.Generator, extent: int, held_out: bool
) -> Actor:
    doing = _pick(tuple(human_motions()), rng)
    track.angle[:] = 0
    track.size[:] = _person_size(track, extent)
    side = int(rng.integers(people_settings()['sides']))
    right = move_person(track, doing, side, rng, extent)
    does, maybe = {doing}, set(MAYBE.get(doing, ()))
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        track.x[:] = 2 * track.x.mean() - track.x
        right = -right
    way = 'right' if right > 0 else 'left'
    (does if abs(right) > _NEAR * extent else maybe).add(way)
    return Actor(
        PERSON, '', frozenset(does), frozenset(maybe - does), track, side, doing, mirrored,
        _colors(rng),
    )  # fmt: skip


def _related(
    first: tuple[int, Track], second: tuple[int, Track], rng: np.random.Generator, extent: int,
    held_out: bool,
) -> list[Actor]:  # fmt: skip
    """Two actors with a relation; a person that takes part in one walks or runs."""
    relation = _pick(RELATIONS, rng)
    way = relate(first[1], second[1], relation, rng, extent)
    names = {1: 'right', -1: 'left'}
    mutual = relation == 'collide'
    made = []
    for (thing, track), acts in ((first, True), (second, False)):
        does, maybe = set(), set(MAYBE.get(relation, ()))
        if acts or mutual:
            does.add(relation)
        else:
            maybe.add(relation)  # who is carried or chased takes part, and does not do it
        moves = acts or mutual or relation in ('chase', 'overtake', 'carry')
        if mutual:
            maybe |= {'left', 'right'}  # towards each other, and back
        elif moves:
            does.add(names[way])
        else:
            does.add('still')
        if thing == PERSON:
            made.append(_walking(track, does, maybe, way, rng, extent))
        else:
            drawing = _drawing(thing, held_out, rng)
            made.append(
                dataclasses.replace(
                    drawing, does=frozenset(does), maybe=frozenset(maybe - does), track=track
                )
            )
    # Who passes behind is drawn first, and so is who carries.
    return made


def _walking(
    track: Track, does: set[str], maybe: set[str], way: int, rng: np.random.Generator, extent: int
) -> Actor:
    """A person that goes along a given path, seen from the side to which it goes."""
    movement = _pick(('walk', 'run'), rng)
    own = Track.resting(len(track.x), 0, 0, 1)
    sides = people_settings()['sides']
    side = (3 * sides // 4 + int(rng.integers(-1, 2))) % sides
    right = move_person(own, movement, side, rng, extent)
    track.tile, track.angle[:] = own.tile, 0
    track.size[:] = _person_size(track, extent)
    does = does | {movement}
    return Actor(
        PERSON, '', frozenset(does), frozenset((maybe | MAYBE[movement]) - does), track, side,
        movement, (right > 0) != (way > 0), _colors(rng),
    )  # fmt: skip


def _person_size(track: Track, extent: int) -> np.ndarray:
    """Side of a person's tile in each frame, for the side that a thing would have."""
    return _LEAST_PERSON * extent + _PERSON_GROWTH * track.size


def _places(rng: np.random.Generator, count: int, extent: int) -> np.ndarray:
    """Centres ``(count, 2)`` that keep actors apart where there is room."""
    low, high = 0.22 * extent, 0.78 * extent
    best, widest = np.full((count, 2), extent / 2), -1.0
    for _ in range(16):
        points = rng.uniform(low, high, (count, 2))
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e3 * np.eye(count)
        if gaps.min() > widest:
            best, widest = points, float(gaps.min())
        if widest > 0.45 * extent:
            break
    return best


def _colors(rng: np.random.Generator) -> np.ndarray:
    """Colours of skin as people have it, and of clothes in any colour."""
    light, dark = np.array([240, 200, 170]), np.array([90, 58, 40])
    share = rng.random()
    clothes = rng.integers(20, 236, (len(_CLOTHES), 3))
    return np.concatenate([[share * light + (1 - share) * dark], clothes]).astype(np.float32)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
