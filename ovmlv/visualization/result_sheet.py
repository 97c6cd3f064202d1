"""Contact sheets of tagged videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ovmlv.errors import ConfigError, DataError

from .canvas import Canvas
from .contact_sheet import COLUMN, SheetLabel, SheetRow, contact_sheet
from .pictures import check_picture, save_picture
from .strip import read_strip, shrink

if TYPE_CHECKING:
    from ovmlv.results import TagResult

_HEIGHT = 208  # of frames that are kept: twice the height of a frame on the sheet
_STRIP = 7  # widest strip of frames, in heights of a frame
_WIDEST = 360  # units of a column of labels


def write_contact_sheet(
    results: Iterable[TagResult],
    out: str | Path,
    top_k: int = 5,
    frames: Mapping[str, np.ndarray] | None = None,
    title: str = '',
    max_frames: int = 6,
    page_size: int = 40,
) -> list[Path]:
    """Write pictures of tagged videos below each other, with their most probable labels.

    Videos that could not be read have a row that says why. Labels that are present by the result's
    thresholds, or from 0.5 on, stand out.

    Args:
        results: Results of tagging; they are taken one after the other.
        out: Picture to write: ``.png``, ``.jpg`` or ``.webp``.
        top_k: Number of labels of a video.
        frames: RGB uint8 ``(T, H, W, 3)`` of videos that are not files, by their names.
        title: Heading.
        max_frames: Number of frames of a video.
        page_size: Number of videos in a picture; further ones go to ``<out>-2``, ``<out>-3``, ...

    Returns:
        The pictures.
    """
    if min(top_k, max_frames, page_size) < 1:
        raise ConfigError(
            f'top_k={top_k}, max_frames={max_frames} and page_size={page_size} must be at least 1'
        )
    out = check_picture(out)
    pages: list[Path] = []
    rows: list[SheetRow] = []

    def write() -> None:
        number = f'-{len(pages) + 1}' if pages else ''
        sheet = contact_sheet(rows, title, max_frames, top_k, column=_column(rows))
        pages.append(save_picture(sheet, out.with_name(f'{out.stem}{number}{out.suffix}')))
        rows.clear()

    for result in results:
        if len(rows) == page_size:
            write()
        rows.append(make_row(result, top_k, (frames or {}).get(result.video), max_frames))
    if not rows:
        raise DataError('a contact sheet needs at least one result')
    write()
    return pages


def make_row(
    result: TagResult, top_k: int = 5, frames: np.ndarray | None = None, max_frames: int = 6
) -> SheetRow:
    """A row of a sheet.

    Args:
        result: Result of a video.
        top_k: Number of labels to keep.
        frames: Its frames ``(T, H, W, 3)``; None reads them from the file.
        max_frames: Number of frames to keep.
    """
    name, problem = Path(result.video).name, result.error
    if frames is None and problem is None:
        try:
            frames = read_strip(result.video, max_frames, _HEIGHT).pictures
        except (FileNotFoundError, DataError) as error:
            problem = str(error)
    if problem is not None or frames is None:
        # The name is above the frames already.
        problem = (problem or '').replace(f'video {result.video} ', '')
        return SheetRow(np.zeros((0, 1, 1, 3), np.uint8), [], name, problem)
    # Fewer of wide frames, or else the labels would be far off.
    fitting = max(1, int(_STRIP * frames.shape[1] / frames.shape[2]))
    count = min(len(frames), max_frames, fitting)
    chosen = ((np.arange(count) + 0.5) * len(frames) / count).astype(int)
    present = {score.label for score in result.present()}
    labels = [
        SheetLabel(label, probability, None, '', label in present)
        for label, probability in result.top(top_k)
    ]
    return SheetRow(shrink(frames[chosen], _HEIGHT), labels, name)


def _column(rows: Sequence[SheetRow]) -> int:
    """Width of the column that the labels need, within limits."""
    canvas = Canvas(1, 1, 2)
    texts = (label.label for row in rows for label in row.labels)
    longest = max((canvas.measure(text, 11, True) for text in texts), default=0)
    return round(min(max(COLUMN, longest + 56), _WIDEST))
