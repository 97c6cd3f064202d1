"""Labels with their probabilities on frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ovmlv.errors import ConfigError, DataError

from .canvas import Canvas, Color
from .percent import percent

PLACES = ('auto', 'over', 'beside')
_SMALL = 240  # a shorter side below this leaves no room for text
_ENLARGED = 320
_FONT = (13, 64)  # least and greatest size in pixels
_SMALLEST_FONT = 10
_OPACITY = 0.8  # of the darkest
_DARK: Color = (15, 21, 29)
_TRACK: Color = (39, 49, 61)
_PRESENT: Color = (24, 106, 176)
_ABSENT: Color = (66, 79, 95)
_BRIGHT: Color = (255, 255, 255)
_PALE: Color = (186, 196, 207)


class PlateRow(NamedTuple):
    """A label of a frame; ``present`` ones stand out."""

    label: str
    probability: float
    present: bool = True


class FrameLabeler:
    """Draws labels on frames of one size, each with a bar as long as its probability.

    The font grows with the frame, and the plate is as wide as its longest label needs, up to a
    limit beyond which labels end in an ellipsis.

    Args:
        size: Height and width of the frames.
        labels: All labels that may be drawn; they decide on the width.
        max_rows: Number of labels of a frame. If they do not fit, there are fewer, and the last row
            says how many are missing.
        place: Place of the labels: ``over`` the picture, at its lower left; ``beside`` it, so that
            nothing is hidden; or ``auto``, which is beside small frames, which are enlarged, and
            over others.
        headed: Whether there is a line above the labels.
    """

    def __init__(
        self,
        size: tuple[int, int],
        labels: Iterable[str],
        max_rows: int = 5,
        place: str = 'auto',
        headed: bool = False,
    ) -> None:
        if place not in PLACES:
            raise ConfigError(f'place={place!r} is none of {", ".join(PLACES)}')
        if max_rows < 1:
            raise ConfigError(f'max_rows={max_rows} must be at least 1')
        self.size, self.headed = tuple(size), headed
        short = min(size)
        self.zoom = 1 if short >= _SMALL else -(-_ENLARGED // short)
        self.height, self.width = size[0] * self.zoom, size[1] * self.zoom
        self.over = place == 'over' or (place == 'auto' and self.zoom == 1)
        self.font = min(max(round(self.zoom * short / 27), _FONT[0]), _FONT[1])
        room = self.height * (0.9 if self.over else 1)
        lines = max_rows + headed
        if self._plate_height(lines) > room:  # a smaller font first, then fewer labels
            self.font = max(min(self.font, int(self.font * room / self._plate_height(lines))), 1)
            self.font = max(self.font, min(_SMALLEST_FONT, self.height // 4))
            while lines > 1 + headed and self._plate_height(lines) > room:
                lines -= 1
        self.max_rows = lines - headed
        self.plate_width = self._plate_width(labels)
        self._drawn: tuple[object, tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of labelled frames; both are even, as video encoders want them."""
        width = self.width + (0 if self.over else self.plate_width)
        return self.height + self.height % 2, width + width % 2

    def __call__(
        self, frame: np.ndarray, rows: Sequence[PlateRow], heading: str = ''
    ) -> np.ndarray:
        """Label a frame.

        Args:
            frame: RGB uint8 ``(H, W, 3)``.
            rows: Labels, best first.
            heading: The line above them.

        Returns:
            RGB uint8 of :attr:`output_size`.
        """
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise DataError(
                f'a frame is {frame.dtype} {frame.shape}; give RGB uint8 {(*self.size, 3)}'
            )
        if self.zoom > 1:
            picture = Image.fromarray(frame).resize(
                (self.width, self.height), Image.Resampling.BICUBIC
            )
            frame = np.asarray(picture)
        height, width = self.output_size
        out = np.empty((height, width, 3), np.uint8)
        out[: self.height, : self.width] = frame
        out[self.height :, : self.width] = out[self.height - 1, : self.width]
        out[:, self.width :] = _DARK if not self.over else out[:, self.width - 1 : self.width]
        plate, shine = self._plate(tuple(rows), heading)
        if not self.over:
            out[: len(plate), self.width : self.width + self.plate_width] = plate
        elif len(plate):
            margin = round(0.5 * self.font)
            bottom = self.height - min(margin, self.height - len(plate))
            part = out[bottom - len(plate) : bottom, margin : margin + self.plate_width]
            part[:] = plate[:, : part.shape[1]] + (part * shine[:, : part.shape[1]] >> 8)
        return out

    @property
    def _row_height(self) -> int:
        return round(1.5 * self.font)

    @property
    def _gap(self) -> int:
        return max(round(0.22 * self.font), 1)

    @property
    def _padding(self) -> int:
        return max(round((0.5 if self.over else 0.8) * self.font), 1)

    def _plate_height(self, lines: int) -> int:
        return lines * (self._row_height + self._gap) - self._gap + 2 * self._padding

    def _plate_width(self, labels: Iterable[str]) -> int:
        canvas = Canvas(1, 1, 1)
        longest = max((canvas.measure(label, self.font, True) for label in labels), default=0)
        margin = 2 * round(0.5 * self.font)
        if self.over:
            limit = max(0.75 * self.width, min(16 * self.font, self.width - margin))
        else:
            limit = max(1.2 * self.width, 16 * self.font)
        wanted = longest + 4.6 * self.font + 2 * self._padding
        return round(min(max(wanted, min(13 * self.font, limit)), limit))

    def _plate(self, rows: tuple[PlateRow, ...], heading: str) -> tuple[np.ndarray, np.ndarray]:
        """The plate to add to a picture, and how much of the picture shines through, in 1/256.

        It is kept, since it changes far less often than frames.
        """
        key = (rows, heading)
        if self._drawn is None or self._drawn[0] != key:
            plate = self._draw(rows, heading)[: self.height]
            # The brighter, the less shines through: letters stay white on anything.
            shine = (256 * (1 - _OPACITY) * (1 - plate.max(-1, keepdims=True) / 255)).round()
            if self.over:
                plate = (plate * (1 - shine / 256)).astype(np.uint8)
            self._drawn = (key, (plate, shine.astype(np.uint16)))
        return self._drawn[1]

    def _draw(self, rows: Sequence[PlateRow], heading: str) -> np.ndarray:
        lines = min(len(rows), self.max_rows) + bool(heading)
        hidden = 0
        if len(rows) > self.max_rows:
            hidden = len(rows) - max(self.max_rows - 1, 1)
            rows = rows[: len(rows) - hidden]
        if not lines:
            return np.zeros((0, self.plate_width, 3), np.uint8)
        canvas = Canvas(self.plate_width, self._plate_height(lines), 1, _DARK)
        left, font, high = self._padding, self.font, self._row_height
        width, y = self.plate_width - 2 * left, float(left)
        if heading:
            canvas.text(left, y + high / 2, heading, 0.85 * font, _PALE, room=width)
            y += high + self._gap
        for label, probability, present in rows:
            p = min(max(probability, 0.0), 1.0) if probability == probability else 0.0
            radius, middle = 0.2 * font, y + high / 2
            canvas.box(left, y, width, high, _TRACK, radius)
            canvas.box(left, y, width * p, high, _PRESENT if present else _ABSENT, radius)
            color = _BRIGHT if present else _PALE
            right = left + width - 0.45 * font
            taken = canvas.text(right, middle, percent(p), 0.88 * font, color, anchor='rm')
            room = width - taken - 1.5 * font
            canvas.text(left + 0.45 * font, middle, label, font, color, present, room=room)
            y += high + self._gap
        if hidden and self.max_rows > 1:
            canvas.text(left, y + high / 2, f'and {hidden} more', 0.85 * font, _PALE, room=width)
        return canvas.pixels()
