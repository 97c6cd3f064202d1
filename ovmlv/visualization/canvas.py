"""A white sheet to draw on in units that do not depend on the resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from .fonts import default_font, load_font, split_by_font

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import ImageFont

Color = tuple[int, int, int]
_OVERSAMPLE = 2  # shapes of Pillow have jagged edges


class Canvas:
    """Draws in units; a unit is ``scale`` pixels of the picture.

    Args:
        width: Width in units.
        height: Height in units.
        scale: Pixels for each unit.
        color: Colour of the background.
    """

    def __init__(self, width: int, height: int, scale: int, color: Color = (255, 255, 255)) -> None:
        self.width, self.height, self.scale = width, height, scale
        self.zoom = scale * _OVERSAMPLE
        self.image = Image.new('RGB', (width * self.zoom, height * self.zoom), color)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, w: float, h: float, color: Color, radius: float = 0) -> None:
        """Draw a filled rectangle, with round corners if it is wide enough."""
        if w <= 0 or h <= 0:
            return
        z = self.zoom
        corners = (x * z, y * z, max((x + w) * z - 1, x * z), max((y + h) * z - 1, y * z))
        self.draw.rounded_rectangle(corners, min(radius, w / 2, h / 2) * z, color)

    def line(self, points: list[tuple[float, float]], color: Color, width: float) -> None:
        """Draw a line through points."""
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
        """Draw a line of text, cut with an ellipsis if it is wider than ``room``.

        Args:
            x: Place of the anchor, to the right.
            y: Place of the anchor, downwards.
            text: The text.
            size: Size of the font.
            color: Colour.
            bold: Whether it is bold.
            anchor: Pillow's text anchor, such as ``lm``: left, middle.
            room: Greatest width.

        Returns:
            The width of the drawn text.
        """
        pixels = round(size * self.zoom)
        line = _Line(' '.join(text.split()), pixels, bold)
        if room is not None:
            line = line.cut(room * self.zoom)
        line.draw(self.draw, x * self.zoom, y * self.zoom, color, anchor)
        return line.width / self.zoom

    def measure(self, text: str, size: float, bold: bool = False) -> float:
        """The width that :meth:`text` would take."""
        return _Line(' '.join(text.split()), round(size * self.zoom), bold).width / self.zoom

    def picture(self, x: float, y: float, w: float, h: float, pixels: np.ndarray) -> None:
        """RGB uint8 ``(H, W, 3)``, scaled to a box."""
        size = (round(w * self.zoom), round(h * self.zoom))
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        self.image.paste(picture, (round(x * self.zoom), round(y * self.zoom)))

    def pixels(self) -> np.ndarray:
        """RGB uint8 ``(height * scale, width * scale, 3)``."""
        return np.asarray(self.image.reduce(_OVERSAMPLE))


class _Line:
    """A line of text in as many fonts as it needs; characters that no font has are boxes."""

    def __init__(self, text: str, size: int, bold: bool) -> None:
        self.content, self.size, self.bold = text, max(size, 1), bold
        self.runs = split_by_font(text, bold)
        if default_font(bold) is None:
            self.runs = [(text, None)]  # Pillow's own font has to do
        self.widths = [self._measure(run, font) for run, font in self.runs]
        self.width = sum(self.widths)

    def cut(self, room: float) -> _Line:
        """The longest beginning with an ellipsis that fits, or the line itself."""
        if self.width <= room:
            return self
        low, high = 0, len(self.content)
        while low < high:
            middle = (low + high + 1) // 2
            if self._beginning(middle).width <= room:
                low = middle
            else:
                high = middle - 1
        return self._beginning(low) if low else _Line('', self.size, self.bold)

    def _beginning(self, length: int) -> _Line:
        return _Line(self.content[:length].rstrip() + '…', self.size, self.bold)

    def _font(self, path: Path | None) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return load_font(self.size, path)

    def _is_boxes(self, path: Path | None) -> bool:
        return path is None and default_font(self.bold) is not None

    def _measure(self, run: str, path: Path | None) -> float:
        if self._is_boxes(path):
            return len(run) * self._box
        return self._font(path).getlength(run)

    @property
    def _box(self) -> int:
        return max(round(0.84 * self.size), 1)

    def draw(
        self, draw: ImageDraw.ImageDraw, x: float, y: float, color: Color, anchor: str
    ) -> None:
        """Draw all runs on one baseline."""
        x -= {'l': 0.0, 'm': 0.5, 'r': 1.0}[anchor[0]] * self.width
        font: Any = self._font(default_font(self.bold))
        ascent, descent = font.getmetrics()
        y += {'a': ascent, 'm': (ascent - descent) / 2, 's': 0, 'd': -descent}[anchor[1]]
        for (run, path), width in zip(self.runs, self.widths, strict=True):
            if self._is_boxes(path):
                for i, character in enumerate(run):
                    self._draw_box(draw, x + i * self._box, y, character, color)
            else:
                draw.text((x, y), run, color, self._font(path), 'ls')
            x += width

    def _draw_box(
        self, draw: ImageDraw.ImageDraw, x: float, y: float, character: str, color: Color
    ) -> None:
        """Draw the number of a character in a box, as browsers do."""
        size, side = self.size, self._box
        top = y - 0.8 * size
        draw.rectangle(
            (x + 0.04 * size, top, x + side - 0.06 * size, y + 0.12 * size),
            outline=color,
            width=max(1, size // 22),
        )
        digits = f'{ord(character):04X}'
        half = (len(digits) + 1) // 2
        font = load_font(max(round(0.78 * size / (half + 0.2)), 1), default_font(False))
        for i, part in enumerate((digits[:half], digits[half:])):
            middle = (x + side / 2 - 0.01 * size, top + (0.25 + 0.43 * i) * size)
            draw.text(middle, part, color, font, 'mm')
