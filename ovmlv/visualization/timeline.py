"""Labels over the time of a video."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ovmlv.errors import ConfigError, DataError

from .canvas import Canvas, Color
from .contact_sheet import FAINT, INK, RULE
from .percent import percent
from .pictures import check_picture, save_picture
from .strip import read_strip, shrink
from .window_cells import window_cells

if TYPE_CHECKING:
    from ovmlv.results import TagResult

_MARGIN, _ROW, _GAP = 16, 22, 3
_LABELS = (70, 230)  # least and greatest width of the labels
_STRIP = 56  # height of the frames
_MOST_FRAMES = 24
#: From 0 to 1; each step is darker also in grey.
_SCALE: tuple[Color, ...] = (
    (243, 245, 248),
    (205, 219, 238),
    (120, 168, 219),
    (24, 98, 168),
    (8, 42, 92),
)
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def draw_timeline(
    result: TagResult,
    out: str | Path,
    top_k: int = 12,
    frames: np.ndarray | None = None,
    title: str | None = None,
    width: int = 640,
    scale: int = 2,
) -> Path:
    """Draw labels against time, each window as dark as its probability.

    If windows overlap, a moment belongs to the one whose middle is nearer. Cells of labels that are
    present, by the result's thresholds or from 0.5 on, are underlined.

    Args:
        result: Result of tagging with windows.
        out: Picture to write: ``.png``, ``.jpg`` or ``.webp``.
        top_k: Number of labels, those with the highest probability in any window.
        frames: RGB uint8 ``(T, H, W, 3)``, spread over the video, to show above; None reads them
            from the video, if it is a file.
        title: Heading; None takes the name of the video.
        width: Width of the time axis in units.
        scale: Pixels for each unit; 2 is sharp on screens of high resolution.
    """
    out = check_picture(out)
    return save_picture(timeline(result, top_k, frames, title, width, scale), out)


def timeline(
    result: TagResult,
    top_k: int = 12,
    frames: np.ndarray | None = None,
    title: str | None = None,
    width: int = 640,
    scale: int = 2,
) -> np.ndarray:
    """The picture of :func:`draw_timeline`, RGB uint8 ``(H, W, 3)``."""
    if result.error is not None:
        raise DataError(f'{result.video} has no timeline: {result.error}')
    if not len(result.windows):
        raise DataError(f'{result.video} was tagged as a whole; tag it with window=2.0, say')
    if min(top_k, width, scale) < 1:
        raise ConfigError(f'top_k={top_k}, width={width} and scale={scale} must be at least 1')
    table = np.asarray(result.window_probabilities)  # (N, C)
    order = np.argsort(-result.probabilities, kind='stable')[:top_k]
    limits = np.broadcast_to(
        0.5 if result.thresholds is None else result.thresholds, len(result.labels)
    )
    title = Path(result.video).name if title is None else title
    begin, end = result.windows[0].start, result.windows[-1].end
    edges = window_cells(result.windows)

    ruler = Canvas(1, 1, scale)
    longest = max(ruler.measure(result.labels[i], 11, True) for i in order)
    left = _MARGIN + min(max(longest, _LABELS[0]), _LABELS[1]) + 10
    frames = _thumbnails(result, frames, width)
    strip = 0 if frames is None else _STRIP + 8
    top = _MARGIN + (26 if title else 0) + strip
    bottom = top + len(order) * (_ROW + _GAP)
    canvas = Canvas(round(left + width + 62), round(bottom + 56), scale)
    if title:
        canvas.text(_MARGIN, _MARGIN + 7, title, 13, INK, True, room=canvas.width - 2 * _MARGIN)
    if frames is not None:
        _draw_frames(canvas, frames, left, top - strip, width)
    per_second = width / max(end - begin, 1e-9)
    for j, i in enumerate(order):
        y = top + j * (_ROW + _GAP)
        present = bool(result.probabilities[i] >= limits[i])
        canvas.text(
            left - 10, y + _ROW / 2, result.labels[i], 11, INK, present, 'rm', left - 10 - _MARGIN
        )
        _draw_cells(canvas, left, y, width, (edges - begin) * per_second, table[:, i], limits[i])
        number = percent(float(result.probabilities[i]))
        canvas.text(left + width + 8, y + _ROW / 2, number, 10.5, INK, present)
    _draw_axis(canvas, left, bottom + 2, begin, end, per_second)
    _draw_legend(canvas, left, bottom + 36, width)
    return canvas.pixels()


def _thumbnails(result: TagResult, frames: np.ndarray | None, width: int) -> np.ndarray | None:
    if frames is None:
        try:
            frames = read_strip(result.video, _MOST_FRAMES, 2 * _STRIP).pictures
        except (FileNotFoundError, DataError):  # frames of an array, or of a file that is gone
            return None
    frames = shrink(frames, 2 * _STRIP)
    each = _STRIP * frames.shape[2] / frames.shape[1]
    count = max(1, min(len(frames), round(width / (each + _GAP))))
    return frames[((np.arange(count) + 0.5) * len(frames) / count).astype(int)]


def _draw_frames(canvas: Canvas, frames: np.ndarray, x: float, y: float, width: float) -> None:
    """Draw frames in the middles of equal parts of the time axis, cut at the sides if they meet."""
    share = width / len(frames)
    height, full = frames.shape[1:3]
    each = min(_STRIP * full / height, share - _GAP)
    cut = max(1, round(each / _STRIP * height))
    for i, frame in enumerate(frames):
        start = (full - cut) // 2
        picture = np.ascontiguousarray(frame[:, start : start + cut])
        canvas.picture(x + (i + 0.5) * share - each / 2, y, each, _STRIP, picture)


def _draw_cells(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    edges: np.ndarray,
    values: np.ndarray,
    limit: float,
) -> None:
    """Draw a row, pixel by pixel, so that a thousand windows fit as well as two."""
    pixels = round(width * canvas.zoom)
    places = (np.arange(pixels) + 0.5) / canvas.zoom
    first = np.searchsorted(edges[:, 1], places, side='right').clip(max=len(values) - 1)
    # The greatest where several windows share a pixel.
    shown = np.maximum.reduceat(values, first)
    inside = (places >= edges[first, 0]) & (places <= edges[first, 1])
    line = np.where(inside[:, None], _colors(shown), 255).astype(np.uint8)
    canvas.picture(x, y, width, _ROW, np.repeat(line[None], round(_ROW * canvas.zoom), 0))
    mark = np.where((inside & (shown >= limit))[:, None], np.array(INK), line).astype(np.uint8)
    thin = max(round(2 * canvas.zoom), 1)
    canvas.picture(x, y + _ROW - 2, width, 2, np.repeat(mark[None], thin, 0))
    widths = edges[:, 1] - edges[:, 0]
    if widths.min() > 5:
        for start in edges[1:, 0]:
            canvas.box(x + start - 0.5, y, 1, _ROW, (255, 255, 255))
    if widths.min() > 32:
        for (start, stop), value in zip(edges, values):
            color = INK if value < 0.64 else (255, 255, 255)
            middle = x + (start + stop) / 2
            canvas.text(middle, y + _ROW / 2 - 0.5, percent(float(value)), 9, color, anchor='mm')


def _colors(values: np.ndarray) -> np.ndarray:
    """Colours ``(N, 3)`` of probabilities ``(N,)``."""
    places = np.linspace(0, 1, len(_SCALE))
    table = np.array(_SCALE, np.float64)
    return np.stack([np.interp(values, places, table[:, c]) for c in range(3)], -1).round()


def _draw_axis(
    canvas: Canvas, x: float, y: float, begin: float, end: float, per_second: float
) -> None:
    length = end - begin
    step = next((s for s in _STEPS if s * per_second >= 46), math.ceil(length / 36000) * 3600)
    canvas.box(x, y, length * per_second, 1, RULE)
    for k in range(math.ceil(begin / step - 1e-6), math.floor(end / step + 1e-6) + 1):
        place = x + (k * step - begin) * per_second
        canvas.box(place - 0.5, y, 1, 4, FAINT)
        canvas.text(place, y + 12, clock(k * step, step), 9.5, FAINT, anchor='mm')


def clock(seconds: float, step: float = 1) -> str:
    """A time in words.

    Examples:
        >>> clock(0.5, step=0.5), clock(7), clock(65), clock(3605)
        ('0.5 s', '7 s', '1:05', '1:00:05')
    """
    if seconds < 60:
        return f'{seconds:.1f} s' if step < 1 else f'{seconds:.0f} s'
    whole = round(seconds)
    minutes, hours = whole // 60 % 60, whole // 3600
    return f'{hours}:{minutes:02d}:{whole % 60:02d}' if hours else f'{minutes}:{whole % 60:02d}'


def _draw_legend(canvas: Canvas, x: float, y: float, width: float) -> None:
    room = 120
    taken = canvas.text(x, y, '0%', 9.5, FAINT) + 6
    line = _colors(np.linspace(0, 1, round(room * canvas.zoom))).astype(np.uint8)
    canvas.picture(x + taken, y - 4, room, 8, np.repeat(line[None], round(8 * canvas.zoom), 0))
    taken += room + 6
    taken += canvas.text(x + taken, y, '100%', 9.5, FAINT) + 18
    if width >= 320:
        canvas.box(x + taken, y - 1, 16, 2, INK)
        canvas.text(x + taken + 22, y, 'present', 9.5, FAINT)
        canvas.text(x + width + 46, y, 'right: highest', 9.5, FAINT, anchor='rm')
