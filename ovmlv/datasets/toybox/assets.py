"""The drawings, people and words that Toybox is made of; see ``assets/NOTICE.md``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_ASSETS = Path(__file__).parent / 'assets'
#: Held out of all pretraining and training: what is tested was never drawn before.
HELD_OUT_FAMILY = 'noto'


@dataclass(frozen=True)
class Concept:
    """A thing that is drawn.

    Attributes:
        name: Its name in CLDR, one word.
        subgroup: Its group in CLDR, such as ``animal-mammal``.
        keywords: Other words of CLDR and emojibase for it.
        names: Language -> name.
        families: Families that draw it.
    """

    name: str
    subgroup: str
    keywords: tuple[str, ...]
    names: dict[str, str]
    families: tuple[str, ...]


@dataclass(frozen=True)
class HumanMotion:
    """A motion-captured movement.

    Attributes:
        first: Index of its first tile.
        frames: Number of tiles for each side, sixteen a second.
        loops: Whether its end leads to its beginning.
        path: Place of the body on the ground, in metres ``(frames, 2)``.
    """

    first: int
    frames: int
    loops: bool
    path: np.ndarray


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """All concepts, by name."""
    return tuple(
        Concept(
            row['name'], row['subgroup'], tuple(row['keywords']), row['names'],
            tuple(row['families']),
        )
        for row in _about('concepts')['concepts']
    )  # fmt: skip


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Names of the families of drawings."""
    return tuple(_about('concepts')['families'])


@lru_cache(maxsize=4096)
def sprite(family: str, concept: int) -> np.ndarray:
    """A drawing, RGBA uint8 ``(S, S, 4)``."""
    about = _about('concepts')
    size, columns = about['size'], about['columns']
    rows = -(-len(about['concepts']) // columns)
    row = families().index(family) * rows + concept // columns
    return _tile(_sheet('sprites.webp'), row, concept % columns, size)


@lru_cache(maxsize=1)
def actions() -> dict[str, dict[str, Any]]:
    """Action -> its label, synonyms and hypernyms."""
    return _about('actions')['actions']


@lru_cache(maxsize=1)
def human_motions() -> dict[str, HumanMotion]:
    """Name -> movement."""
    return {
        name: HumanMotion(row['first'], row['frames'], row['loops'], np.asarray(row['path']))
        for name, row in _about('people')['motions'].items()
    }


def people_settings() -> dict[str, Any]:
    """``sides`` (views around a person), ``rate`` (frames a second), ``metres`` (of a tile)."""
    return _about('people')


def person_tile(motion: str, side: int, frame: int) -> np.ndarray:
    """Parts of the body and their light, ``32 * part + light``, uint8 ``(S, S)``."""
    about, row = _about('people'), human_motions()[motion]
    number = row.first + side * row.frames + frame
    row_of_sheet, column = divmod(number, about['columns'])
    return _tile(_sheet('people.png'), row_of_sheet, column, about['size'])


@lru_cache(maxsize=256)
def body_height(motion: str, side: int) -> float:
    """How far the middle of a body lies below the middle of its tiles, as a share of their side.

    Who crawls fills the lower part of the tiles alone.
    """
    tiles = [person_tile(motion, side, i) > 0 for i in range(human_motions()[motion].frames)]
    rows = np.nonzero(np.any(tiles, axis=(0, 2)))[0]
    return float((rows.min() + rows.max() + 1) / 2 / tiles[0].shape[0] - 0.5)


@lru_cache(maxsize=8)
def _about(name: str) -> dict[str, Any]:
    return json.loads((_ASSETS / f'{name}.json').read_text(encoding='utf-8'))


@lru_cache(maxsize=2)
def _sheet(name: str) -> np.ndarray:
    mode = 'RGBA' if name.endswith('.webp') else 'L'
    return np.asarray(Image.open(_ASSETS / name).convert(mode))


def _tile(sheet: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    return sheet[row * size : (row + 1) * size, column * size : (column + 1) * size]
