"""Fonts for text in any script."""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import MMLogger
from PIL import ImageFont

#: Font files or folders with some, apart by ``os.pathsep``; they come before the system's.
VARIABLE = 'OVMLV_FONTS'
_SUFFIXES = ('.ttf', '.otf', '.ttc')
#: Families with many scripts are looked at first.
_RICH = ('noto', 'cjk', 'unicode', 'unifont', 'droid', 'wqy', 'yahei', 'pingfang', 'gothic')
_told: set[str] = set()


def split_by_font(text: str, bold: bool = False) -> list[tuple[str, Path | None]]:
    """Cut a line into runs that one font can draw.

    DejaVu Sans draws the characters that it has (Latin, Greek, Cyrillic, Arabic, Hebrew and more),
    then the fonts of ``OVMLV_FONTS`` draw theirs, then those of the system. Marks stay with the
    characters that they belong to.

    Returns:
        Runs with the file of their font; None if no font has these characters. The log says so
        once.
    """
    first = default_font(bold)
    runs: list[tuple[str, Path | None]] = []
    for character in text:
        if character == ' ':
            font = (runs[-1][1] if runs else None) or first
        elif runs and _joins(character):
            font = runs[-1][1]
        else:
            font = first if first is None or _has(first, character) else _find(character)
        if runs and runs[-1][1] == font:
            runs[-1] = (runs[-1][0] + character, font)
        else:
            runs.append((character, font))
    if first is not None:
        _tell(''.join(run for run, font in runs if font is None))
    return runs


@functools.cache
def default_font(bold: bool = False) -> Path | None:
    """DejaVu Sans, which comes with matplotlib; None if matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return None
    folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    return folder / f'DejaVuSans{"-Bold" if bold else ""}.ttf'


@functools.lru_cache(maxsize=64)
def load_font(size: int, path: Path | None = None) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font at a size in pixels; None takes Pillow's own."""
    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(path), size)


def _joins(character: str) -> bool:
    """Whether a character belongs to the one before it: marks, joiners, selectors."""
    return unicodedata.category(character) in ('Mn', 'Mc', 'Me', 'Cf')


@functools.lru_cache(maxsize=4096)
def _find(character: str) -> Path | None:
    return next((font for font in fallback_fonts() if _has(font, character)), None)


@functools.cache
def fallback_fonts() -> tuple[Path, ...]:
    """Fonts to look into if DejaVu Sans lacks a character."""
    from matplotlib.font_manager import findSystemFonts

    named = [Path(part) for part in os.environ.get(VARIABLE, '').split(os.pathsep) if part]
    own = [font for path in named for font in _files(path)]
    system = sorted(Path(font) for font in findSystemFonts())
    system.sort(key=lambda font: not any(name in font.name.lower() for name in _RICH))
    return tuple(dict.fromkeys(own + system))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(f for f in path.rglob('*') if f.suffix.lower() in _SUFFIXES)
    elif path.is_file():
        yield path
    else:
        MMLogger.get_current_instance().warning(f'{VARIABLE} names {path}, which does not exist')


def _has(font: Path, character: str) -> bool:
    return ord(character) in _characters(font)


@functools.lru_cache(maxsize=256)
def _characters(font: Path) -> frozenset[int]:
    """Code points that a font has; none if it cannot be used, such as a font of bitmaps."""
    from matplotlib.ft2font import FT2Font

    try:
        load_font(20, font)
        return frozenset(FT2Font(str(font)).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def _tell(missing: str) -> None:
    new = sorted(set(missing) - _told)
    if new:
        _told.update(new)
        shown = ' '.join(f'U+{ord(c):04X}' for c in new[:5]) + (' ...' if len(new) > 5 else '')
        MMLogger.get_current_instance().warning(
            f'no installed font has {shown}: pictures show these characters as boxes with their '
            f'numbers; install a font, such as Noto Sans CJK, or name its file in {VARIABLE}'
        )
