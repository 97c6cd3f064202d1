"""Writing pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ovmlv.errors import ConfigError
from ovmlv.files import whole_file

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')


def check_picture(path: str | Path) -> Path:
    """The path, if its suffix is that of a picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f'{path}: name a file ending in {", ".join(SUFFIXES)}')
    return Path(path)


def save_picture(pixels: np.ndarray, path: str | Path) -> Path:
    """Write RGB uint8 ``(H, W, 3)``; the suffix chooses the format."""
    path = check_picture(path)
    options = dict(optimize=True) if path.suffix.lower() == '.png' else dict(quality=90)
    with whole_file(path) as scratch:
        Image.fromarray(pixels).save(scratch, **options)
    return path
