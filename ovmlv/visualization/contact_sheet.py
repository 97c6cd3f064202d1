"""Many tagged videos on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ovmlv.errors import DataError

from .canvas import Canvas, Color
from .percent import percent

INK: Color = (31, 41, 51)
FAINT: Color = (123, 135, 148)
TRACK: Color = (243, 245, 248)
RULE: Color = (228, 231, 235)
#: Strong and pale colour of a label: right, wrong, unknown. Blue and orange are told apart by
#: colour-blind readers too; the signs say it once more.
COLORS: dict[bool | None, tuple[Color, Color]] = {
    True: ((16, 122, 87), (178, 229, 207)),
    False: ((201, 76, 44), (250, 207, 190)),
    None: ((88, 110, 150), (205, 217, 236)),
}

_MARGIN, _GAP = 16, 3
_COLUMN, _LINE, _BAR = 204, 21, 18


@dataclass(frozen=True)
class SheetLabel:
    """A label of a video.

    Attributes:
        label: Its text.
        probability: In [0, 1]; None: the label alone, without a bar.
        truth: Whether it is right; None if that is not known.
        group: The column that it goes into, such as ``unseen``.
    """

    label: str
    probability: float | None
    truth: bool | None = None
    group: str = ''


@dataclass(frozen=True, eq=False)
class SheetRow:
    """A video.

    Attributes:
        frames: RGB uint8 ``(T, H, W, 3)``.
        labels: Its labels, best first within their groups.
        title: A few words above it.
    """

    frames: np.ndarray
    labels: Sequence[SheetLabel]
    title: str = ''


def contact_sheet(
    rows: Sequence[SheetRow],
    title: str = '',
    max_frames: int = 6,
    max_labels: int = 5,
    frame_size: int = 104,
    scale: int = 2,
) -> np.ndarray:
    """Draw videos below each other: frames from left to right, then labels with their bars.

    A bar is as long as its label's probability. Labels of different groups stand in columns.

    Args:
        rows: The videos.
        title: Heading.
        max_frames: Frames to show of a video, spread from its first to its last.
        max_labels: Labels to show in each column.
        frame_size: Height of a frame, in units.
        scale: Pixels a unit; 2 is sharp on screens of high resolution.

    Returns:
        RGB uint8 ``(H, W, 3)``.
    """
    if not rows:
        raise DataError('a contact sheet needs at least one video')
    for row in rows:
        check_frames(row)
    if min(max_frames, max_labels, frame_size, scale) < 1:
        raise DataError('max_frames, max_labels, frame_size and scale must be at least 1')
    groups = list(dict.fromkeys(label.group for row in rows for label in row.labels))
    strip = max(_strip_width(row, max_frames, frame_size) for row in rows)
    width = round(2 * _MARGIN + strip + len(groups) * (_COLUMN + _MARGIN))
    known = any(label.truth is not None for row in rows for label in row.labels)
    parts = [_heading(title, groups, strip, width, scale, known)]
    lines = max(
        min(max_labels, sum(label.group == group for label in row.labels))
        for row in rows
        for group in groups or ['']
    )
    titled = any(row.title for row in rows)
    height = max(frame_size, lines * _LINE - (_LINE - _BAR)) + (18 if titled else 0)
    for i, row in enumerate(rows):
        canvas = Canvas(width, height + (_MARGIN + 9 if i == len(rows) - 1 else 18), scale)
        canvas.box(_MARGIN, 0, width - 2 * _MARGIN, 1, RULE)
        _draw_row(canvas, row, groups, strip, titled, max_frames, max_labels, frame_size)
        parts.append(canvas.pixels())
    return np.concatenate(parts)


def check_frames(row: SheetRow) -> None:
    """Raise unless the frames are pictures."""
    frames = row.frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise DataError(
            f'{row.title or "a video"}: frames are {frames.dtype} {frames.shape}; give RGB uint8 '
            '(frames, height, width, 3)'
        )


def _strip_width(row: SheetRow, max_frames: int, size: int) -> float:
    count = min(len(row.frames), max_frames)
    return count * (_frame_width(row, size) + _GAP) - _GAP


def _frame_width(row: SheetRow, size: int) -> int:
    return max(1, round(size * row.frames.shape[2] / row.frames.shape[1]))


def _heading(
    title: str, groups: Sequence[str], strip: float, width: int, scale: int, known: bool
) -> np.ndarray:
    """Title, what the colours mean, and the names of the columns."""
    named = any(groups)
    canvas = Canvas(width, _MARGIN + (26 if title or known else 0) + (20 if named else 0), scale)
    y = _MARGIN + 8
    x = float(width - _MARGIN)  # the legend grows to the left
    if known:
        x -= canvas.text(x, y, 'bar: probability', 11, FAINT, anchor='rm') + 18
        for truth, text in ((False, 'wrong label'), (True, 'right label')):
            x -= canvas.text(x, y, text, 11, FAINT, anchor='rm') + 19
            canvas.box(x, y - 7, 14, 14, COLORS[truth][1], 3)
            _sign(canvas, x + 3.5, y - 3.5, truth)
            x -= 18
    if title:
        canvas.text(_MARGIN, y, title, 15, INK, True, room=max(x - 2 * _MARGIN, 0))
    for i, group in enumerate(groups):
        x = _MARGIN + strip + _MARGIN + i * (_COLUMN + _MARGIN)
        canvas.text(x, canvas.height - 10, group.upper(), 10.5, FAINT, True, room=_COLUMN)
    return canvas.pixels()


def _draw_row(
    canvas: Canvas,
    row: SheetRow,
    groups: Sequence[str],
    strip: float,
    titled: bool,
    max_frames: int,
    max_labels: int,
    size: int,
) -> None:
    top = 9
    if titled:
        canvas.text(_MARGIN, top + 6, row.title, 10.5, FAINT, room=strip)
        top += 18
    count = min(len(row.frames), max_frames)
    width = _frame_width(row, size)
    for i, t in enumerate(np.linspace(0, len(row.frames) - 1, count).round().astype(int)):
        canvas.picture(_MARGIN + i * (width + _GAP), top, width, size, row.frames[t])
    for i, group in enumerate(groups):
        x = _MARGIN + strip + _MARGIN + i * (_COLUMN + _MARGIN)
        labels = [label for label in row.labels if label.group == group][:max_labels]
        for j, label in enumerate(labels):
            _draw_label(canvas, x, top + j * _LINE, label)


def _draw_label(canvas: Canvas, x: float, y: float, label: SheetLabel) -> None:
    strong, pale = COLORS[label.truth]
    canvas.box(x, y, _COLUMN, _BAR, TRACK, 3)
    if label.probability is None:
        canvas.text(x + 6, y + _BAR / 2, label.label, 11, INK, room=_COLUMN - 12)
        return
    p = min(max(label.probability, 0.0), 1.0) if label.probability == label.probability else 0.0
    canvas.box(x, y, _COLUMN * p, _BAR, pale, 3)
    middle = y + _BAR / 2
    indent = 6
    if label.truth is not None:
        _sign(canvas, x + 6, middle - 3.5, label.truth)
        indent = 19
    taken = canvas.text(x + _COLUMN - 6, middle, percent(p), 10.5, strong, anchor='rm')
    room = _COLUMN - indent - taken - 12
    canvas.text(x + indent, middle, label.label, 11, INK, bool(label.truth), room=room)


def _sign(canvas: Canvas, x: float, y: float, truth: bool) -> None:
    """A tick or a cross of seven units."""
    strong = COLORS[truth][0]
    if truth:
        canvas.line([(x, y + 3.8), (x + 2.6, y + 6.4), (x + 7, y + 0.8)], strong, 1.6)
    else:
        canvas.line([(x + 0.8, y + 0.8), (x + 6.2, y + 6.2)], strong, 1.6)
        canvas.line([(x + 6.2, y + 0.8), (x + 0.8, y + 6.2)], strong, 1.6)
