"""A white sheet to draw on in units that do not depend on the resolution."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
_OVERSAMPLE = 2  # shapes of Pillow have jagged edges


class Canvas:
    """Draws in units; a unit is ``scale`` pixels of the picture.

    Args:
        width: Width in units.
        height: Height in units.
        scale: Pixels a unit.
        color: Background.
    """

    def __init__(self, width: int, height: int, scale: int, color: Color = (255, 255, 255)) -> None:
        self.width, self.height, self.scale = width, height, scale
        self.zoom = scale * _OVERSAMPLE
        self.image = Image.new('RGB', (width * self.zoom, height * self.zoom), color)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, w: float, h: float, color: Color, radius: float = 0) -> None:
        """A filled rectangle, with round corners where it is wide enough."""
        if w <= 0 or h <= 0:
            return
        z = self.zoom
        corners = (x * z, y * z, max((x + w) * z - 1, x * z), max((y + h) * z - 1, y * z))
        self.draw.rounded_rectangle(corners, min(radius, w / 2, h / 2) * z, color)

    def line(self, points: list[tuple[float, float]], color: Color, width: float) -> None:
        """A line through points."""
        z = self.zoom
        points = [(x * z, y * z) for x, y in points]
        self.draw.line(points, color, round(width * z), joint='curve')
        r = width * z / 2
        for x, y in (points[0], points[-1]):  # round ends
            self.draw.ellipse((x - r, y - r, x + r, y + r), color)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        color: Color,
        bold: bool = False,
        anchor: str = 'lm',
        room: float | None = None,
    ) -> float:
        """A line of text, cut with an ellipsis where it is wider than ``room``.

        Args:
            x: Place of the anchor.
            y: Place of the anchor.
            text: The text.
            size: Size of the font.
            color: Colour.
            bold: Whether it is bold.
            anchor: Pillow's text anchor, such as ``lm``: left, middle.
            room: Greatest width.

        Returns:
            The width of what was drawn.
        """
        font = load_font(round(size * self.zoom), bold)
        text = ' '.join(text.split())
        if room is not None and font.getlength(text) > room * self.zoom:
            while text and font.getlength(text + '…') > room * self.zoom:
                text = text[:-1]
            text = text.rstrip() + '…'
        self.draw.text((x * self.zoom, y * self.zoom), text, color, font, anchor)
        return font.getlength(text) / self.zoom

    def picture(self, x: float, y: float, w: float, h: float, pixels: np.ndarray) -> None:
        """RGB uint8 ``(H, W, 3)``, scaled to a box."""
        size = (round(w * self.zoom), round(h * self.zoom))
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        self.image.paste(picture, (round(x * self.zoom), round(y * self.zoom)))

    def pixels(self) -> np.ndarray:
        """RGB uint8 ``(height * scale, width * scale, 3)``."""
        return np.asarray(self.image.reduce(_OVERSAMPLE))


@functools.lru_cache(maxsize=64)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib; Pillow's own font where that is not installed."""
    try:
        import matplotlib
    except ImportError:
        return ImageFont.load_default(size)
    folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    return ImageFont.truetype(str(folder / f'DejaVuSans{"-Bold" if bold else ""}.ttf'), size)
