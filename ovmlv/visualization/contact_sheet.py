"""Many tagged videos on one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ovmlv.errors import DataError
from ovmlv.evaluation.metrics.label_groups import ordered_values

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

_ABSENT: tuple[Color, Color] = ((97, 110, 124), (222, 226, 231))
_MARGIN, _GAP = 16, 3
_LINE, _BAR = 21, 18
_HIGHEST = 15  # labels in a column
COLUMN = 204


@dataclass(frozen=True)
class SheetLabel:
    """A label of a video.

    Attributes:
        label: Its text.
        probability: Its probability in [0, 1]; None shows the label alone, without a bar.
        truth: Whether it is right; None if that is not known.
        group: The column that it goes into, such as ``unseen``.
        present: Whether it stands out if the truth is not known; None if this is not known either.
    """

    label: str
    probability: float | None
    truth: bool | None = None
    group: str = ''
    present: bool | None = None


@dataclass(frozen=True, eq=False)
class SheetRow:
    """A video.

    Attributes:
        frames: RGB uint8 ``(T, H, W, 3)``.
        labels: Its labels, best first within their groups.
        title: A few words above it.
        problem: Reason why there are no frames.
    """

    frames: np.ndarray
    labels: Sequence[SheetLabel]
    title: str = ''
    problem: str = ''


def contact_sheet(
    rows: Sequence[SheetRow],
    title: str = '',
    max_frames: int = 6,
    max_labels: int = 5,
    frame_size: int = 104,
    scale: int = 2,
    column: int = COLUMN,
) -> np.ndarray:
    """Draw videos below each other: frames from left to right, then labels with their bars.

    The length of a bar is its label's probability. Labels of different groups are in different
    columns.

    Args:
        rows: The videos.
        title: Heading.
        max_frames: Number of frames to show of a video, spread from its first to its last.
        max_labels: Number of labels to show in each column.
        frame_size: Height of a frame, in units.
        scale: Pixels for each unit; 2 is sharp on screens of high resolution.
        column: Width of a column of labels, in units.

    Returns:
        RGB uint8 ``(H, W, 3)``.
    """
    if not rows:
        raise DataError('a contact sheet needs at least one video')
    for row in rows:
        check_frames(row)
    if min(max_frames, max_labels, frame_size, scale) < 1:
        raise DataError('max_frames, max_labels, frame_size and scale must be at least 1')
    columns = _columns(rows, max_labels)
    strip = max(_strip_width(row, max_frames, frame_size) for row in rows)
    width = round(2 * _MARGIN + strip + len(columns) * (column + _MARGIN))
    lefts = [2 * _MARGIN + strip + i * (column + _MARGIN) for i in range(len(columns))]
    known = any(label.truth is not None for row in rows for label in row.labels)
    headings = {c.group: x for c, x in reversed([*zip(columns, lefts)])}  # above the first of each
    parts = [_heading(title, headings, width, scale, known, column)]
    lines = max((c.stop - c.start for c in columns), default=0)
    titled = any(row.title for row in rows)
    for i, row in enumerate(rows):
        height = _LINE if row.problem else max(frame_size, lines * _LINE - (_LINE - _BAR))
        height += 18 if titled else 0
        canvas = Canvas(width, height + (_MARGIN + 9 if i == len(rows) - 1 else 18), scale)
        canvas.box(_MARGIN, 0, width - 2 * _MARGIN, 1, RULE)
        top = 9
        if titled:
            canvas.text(_MARGIN, top + 6, row.title, 10.5, FAINT, room=strip)
            top += 18
        if row.problem:
            room = width - 2 * _MARGIN
            canvas.text(_MARGIN, top + _BAR / 2, row.problem, 11, COLORS[False][0], room=room)
        else:
            _draw_frames(canvas, top, row, max_frames, frame_size)
        for part, x in zip(columns, lefts):
            labels = [label for label in row.labels if label.group == part.group]
            for j, label in enumerate(labels[part.start : part.stop]):
                _draw_label(canvas, x, top + j * _LINE, label, column)
        parts.append(canvas.pixels())
    return np.concatenate(parts)


def check_frames(row: SheetRow) -> None:
    """Raise unless the frames are pictures."""
    frames = row.frames
    if row.problem:
        return
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise DataError(
            f'{row.title or "a video"}: frames are {frames.dtype} {frames.shape}; give RGB uint8 '
            '(frames, height, width, 3)'
        )


def _strip_width(row: SheetRow, max_frames: int, size: int) -> float:
    if row.problem:
        return 6 * size
    count = min(len(row.frames), max_frames)
    return count * (_frame_width(row, size) + _GAP) - _GAP


def _frame_width(row: SheetRow, size: int) -> int:
    return max(1, round(size * row.frames.shape[2] / row.frames.shape[1]))


@dataclass(frozen=True)
class _Column:
    """The labels ``start`` to ``stop`` of a group."""

    group: str
    start: int
    stop: int


def _columns(rows: Sequence[SheetRow], max_labels: int) -> list[_Column]:
    """A column for each group, or several columns if one would be too high."""
    columns = []
    for group in ordered_values([label.group for row in rows for label in row.labels]):
        most = max(sum(label.group == group for label in row.labels) for row in rows)
        most = min(most, max_labels)
        lines = -(-most // -(-most // _HIGHEST))
        columns += [_Column(group, i, min(i + lines, most)) for i in range(0, most, lines)]
    return columns


def _heading(
    title: str, columns: Mapping[str, float], width: int, scale: int, known: bool, room: int
) -> np.ndarray:
    """Draw the title, the meaning of the colours, and the names of the columns."""
    named = any(columns)
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
    for group, x in columns.items():
        canvas.text(x, canvas.height - 10, group.upper(), 10.5, FAINT, True, room=room)
    return canvas.pixels()


def _draw_frames(canvas: Canvas, top: float, row: SheetRow, max_frames: int, size: int) -> None:
    count = min(len(row.frames), max_frames)
    width = _frame_width(row, size)
    for i, t in enumerate(np.linspace(0, len(row.frames) - 1, count).round().astype(int)):
        canvas.picture(_MARGIN + i * (width + _GAP), top, width, size, row.frames[t])


def _draw_label(canvas: Canvas, x: float, y: float, label: SheetLabel, width: int) -> None:
    absent = label.truth is None and label.present is False
    strong, pale = _ABSENT if absent else COLORS[label.truth]
    canvas.box(x, y, width, _BAR, TRACK, 3)
    middle = y + _BAR / 2
    if label.probability is None:
        canvas.text(x + 6, middle, label.label, 11, INK, room=width - 12)
        return
    p = min(max(label.probability, 0.0), 1.0) if label.probability == label.probability else 0.0
    canvas.box(x, y, width * p, _BAR, pale, 3)
    indent = 6
    if label.truth is not None:
        _sign(canvas, x + 6, middle - 3.5, label.truth)
        indent = 19
    taken = canvas.text(x + width - 6, middle, percent(p), 10.5, strong, anchor='rm')
    room = width - indent - taken - 12
    bold = bool(label.truth or (label.truth is None and label.present))
    canvas.text(x + indent, middle, label.label, 11, strong if absent else INK, bold, room=room)


def _sign(canvas: Canvas, x: float, y: float, truth: bool) -> None:
    """A tick or a cross of seven units."""
    strong = COLORS[truth][0]
    if truth:
        canvas.line([(x, y + 3.8), (x + 2.6, y + 6.4), (x + 7, y + 0.8)], strong, 1.6)
    else:
        canvas.line([(x + 0.8, y + 0.8), (x + 6.2, y + 6.2)], strong, 1.6)
        canvas.line([(x + 6.2, y + 0.8), (x + 0.8, y + 6.2)], strong, 1.6)
