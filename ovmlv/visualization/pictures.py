"""Writing pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ovmlv.errors import ConfigError

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')


def check_picture(path: str | Path) -> Path:
    """The path, if its suffix is that of a picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f'{path}: name a file ending in {", ".join(SUFFIXES)}')
    return Path(path)


def save_picture(pixels: np.ndarray, path: str | Path) -> Path:
    """Write RGB uint8 ``(H, W, 3)``; the suffix says the format."""
    path = check_picture(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == '.png':
        Image.fromarray(pixels).save(path, optimize=True)
    else:
        Image.fromarray(pixels).save(path, quality=90)
    return path
