"""The words of MotionShapes and how they are split.

MotionShapes is a small generated world in which every claim of open-vocabulary
multi-label video classification can be seen in minutes: coloured shapes (entities)
on named backgrounds, each with a motion (actions). The split of the words is fixed,
so that pretraining on images, training on videos and testing agree on what is held out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

SHAPES = (
    'circle', 'square', 'triangle', 'star', 'heart', 'cross', 'ring', 'moon',
    'arrow', 'house', 'tree', 'fish', 'flower', 'cloud', 'boat', 'mushroom',
)  # fmt: skip
COLORS: dict[str, tuple[int, int, int]] = {
    'red': (215, 40, 45),
    'orange': (245, 140, 25),
    'yellow': (240, 225, 60),
    'green': (50, 165, 70),
    'blue': (50, 90, 215),
    'purple': (150, 60, 185),
    'white': (245, 245, 245),
    'black': (22, 22, 24),
}
BACKGROUNDS = ('plain', 'striped', 'checkered', 'dotted', 'noisy', 'gradient')
MOTIONS = (
    'moving left', 'moving right', 'moving up', 'moving down', 'growing', 'shrinking',
    'spinning', 'bouncing', 'blinking', 'shaking', 'circling', 'standing still',
)  # fmt: skip

#: Shapes that the tiny CLIP knows from images but that are never labels of training videos.
UNSEEN_SHAPES = ('tree', 'moon', 'arrow', 'boat')

#: Words that the tiny CLIP never read: only a language model can connect them with the known ones.
#: They are short, since its context of 20 tokens must hold their letters. Each maps to the known
#: words that it covers (a hypernym covers several).
NOVEL_SHAPES: dict[str, tuple[str, ...]] = {
    'disc': ('circle',), 'round dot': ('circle',), 'box': ('square',), 'pyramid': ('triangle',),
    'asterisk': ('star',), 'love sign': ('heart',), 'plus': ('cross',), 'donut': ('ring',),
    'hoop': ('ring',), 'crescent': ('moon',), 'pointer': ('arrow',), 'cottage': ('house',),
    'home': ('house',), 'oak': ('tree',), 'pine': ('tree',), 'salmon': ('fish',),
    'shark': ('fish',), 'rose': ('flower',), 'daisy': ('flower',), 'ship': ('boat',),
    'vessel': ('boat',), 'toadstool': ('mushroom',), 'fungus': ('mushroom',),
    'polygon': ('square', 'triangle'), 'plant': ('tree', 'flower'), 'animal': ('fish',),
    'building': ('house',), 'heavenly body': ('star', 'moon'),
}  # fmt: skip
NOVEL_COLORS: dict[str, tuple[str, ...]] = {
    'crimson': ('red',), 'scarlet': ('red',), 'tangerine': ('orange',), 'golden': ('yellow',),
    'lemon': ('yellow',), 'emerald': ('green',), 'lime': ('green',), 'azure': ('blue',),
    'navy': ('blue',), 'violet': ('purple',), 'lavender': ('purple',), 'ivory': ('white',),
    'snowy': ('white',), 'ebony': ('black',), 'pitch-dark': ('black',),
}  # fmt: skip
NOVEL_MOTIONS: dict[str, tuple[str, ...]] = {
    'gliding left': ('moving left',), 'gliding right': ('moving right',),
    'rising': ('moving up',), 'ascending': ('moving up',), 'falling': ('moving down',),
    'descending': ('moving down',), 'expanding': ('growing',), 'swelling': ('growing',),
    'contracting': ('shrinking',), 'narrowing': ('shrinking',), 'revolving': ('spinning',),
    'rotating': ('spinning',), 'hopping': ('bouncing',), 'jumping': ('bouncing',),
    'flashing': ('blinking',), 'flickering': ('blinking',), 'trembling': ('shaking',),
    'vibrating': ('shaking',), 'orbiting': ('circling',), 'motionless': ('standing still',),
    'stationary': ('standing still',),
}  # fmt: skip


class Label(NamedTuple):
    """A label string with its place in the split.

    ``facts`` are the alternatives of which an actor must satisfy one, each a (shape, color,
    motion) with ``None`` for "any"; ``background`` is set for background labels instead.
    """

    text: str
    split: str  # 'seen' | 'unseen' | 'novel'
    kind: str  # 'entity' | 'action'
    group: str  # 'shape' | 'color' | 'background' | 'pair' | 'motion' | 'composition'
    facts: tuple[tuple[str | None, str | None, str | None], ...] = ()
    background: str | None = None


def article(noun: str) -> str:
    """'a circle', 'an arrow'."""
    return f'{"an" if noun[0] in "aeiou" else "a"} {noun}'


def is_unseen_pair(shape: str, color: str) -> bool:
    """Whether ``'{color} {shape}'`` is no label of training videos (a fixed quarter, spread
    over every shape and every color, and all pairs of unseen shapes).
    """
    if shape in UNSEEN_SHAPES:
        return True
    return (SHAPES.index(shape) + list(COLORS).index(color)) % 4 == 0


def is_never_rendered_pair(shape: str, color: str) -> bool:
    """Whether the pair is in no pretraining image and no caption: two pairs of every shape."""
    return (SHAPES.index(shape) + list(COLORS).index(color)) % 4 == 0


def is_unseen_composition(shape: str, motion: str) -> bool:
    """Whether ``'a {shape} {motion}'`` is no label of training videos."""
    if shape in UNSEEN_SHAPES:
        return True
    return (SHAPES.index(shape) + MOTIONS.index(motion)) % 4 == 1


@lru_cache(maxsize=1)
def all_labels() -> tuple[Label, ...]:
    """Every label of MotionShapes, in a fixed order."""

    def split(unseen: bool) -> str:
        return 'unseen' if unseen else 'seen'

    labels = [
        Label(s, split(s in UNSEEN_SHAPES), 'entity', 'shape', ((s, None, None),)) for s in SHAPES
    ]
    labels += [Label(c, 'seen', 'entity', 'color', ((None, c, None),)) for c in COLORS]
    labels += [Label(f'{b} background', 'seen', 'entity', 'background', (), b) for b in BACKGROUNDS]
    labels += [
        Label(f'{c} {s}', split(is_unseen_pair(s, c)), 'entity', 'pair', ((s, c, None),))
        for s in SHAPES
        for c in COLORS
    ]
    labels += [Label(m, 'seen', 'action', 'motion', ((None, None, m),)) for m in MOTIONS]
    labels += [
        Label(
            f'{article(s)} {m}', split(is_unseen_composition(s, m)), 'action', 'composition',
            ((s, None, m),),
        )
        for s in SHAPES
        for m in MOTIONS
    ]  # fmt: skip
    return tuple(labels + _novel_labels())


def _novel_labels() -> list[Label]:
    labels = [
        Label(w, 'novel', 'entity', 'shape', tuple((s, None, None) for s in shapes))
        for w, shapes in NOVEL_SHAPES.items()
    ]
    labels += [
        Label(w, 'novel', 'entity', 'color', tuple((None, c, None) for c in colors))
        for w, colors in NOVEL_COLORS.items()
    ]
    # Pairs of novel words, one of each color and shape with a single meaning, spread evenly.
    nouns = [(w, s[0]) for w, s in NOVEL_SHAPES.items() if len(s) == 1]
    adjectives = [(w, c[0]) for w, c in NOVEL_COLORS.items()]
    for i in range(2 * len(nouns)):
        (noun, shape), (adjective, color) = nouns[i % len(nouns)], adjectives[i % len(adjectives)]
        labels.append(
            Label(f'{adjective} {noun}', 'novel', 'entity', 'pair', ((shape, color, None),))
        )
    labels += [
        Label(w, 'novel', 'action', 'motion', tuple((None, None, m) for m in motions))
        for w, motions in NOVEL_MOTIONS.items()
    ]
    verbs = [(w, m[0]) for w, m in NOVEL_MOTIONS.items()]
    for i in range(2 * len(verbs)):
        (verb, motion), (noun, shape) = verbs[i % len(verbs)], nouns[(i + 3) % len(nouns)]
        labels.append(
            Label(
                f'{article(noun)} {verb}', 'novel', 'action', 'composition',
                ((shape, None, motion),),
            )
        )  # fmt: skip
    return labels
