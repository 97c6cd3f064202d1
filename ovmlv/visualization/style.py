"""The look that all charts share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, RULE = '#1f2933', '#7b8794', '#e4e7eb'
#: Told apart by colour-blind readers too (Okabe and Ito).
COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6d31', '#4d4d4d')
SPLIT_COLORS = {'seen': COLORS[0], 'unseen': COLORS[1], 'novel': COLORS[2], 'synthetic': COLORS[3]}
_RC: dict[Any, Any] = {
    'font.family': 'DejaVu Sans',
    'font.size': 9,
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': FAINT,
    'axes.titlesize': 10,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': RULE,
    'grid.linewidth': 0.8,
    'xtick.color': FAINT,
    'ytick.color': FAINT,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'legend.frameon': False,
    'figure.facecolor': 'white',
}


@contextlib.contextmanager
def chart(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (5.0, 4.0), **kwargs: Any
) -> Iterator[tuple[Figure, Sequence[Sequence[Axes]]]]:
    """A figure with a grid of axes, drawn off screen and without pyplot's global state.

    Args:
        rows: Number of rows of axes.
        columns: Number of columns of axes.
        size: Size of the whole figure, in inches.
        **kwargs: Arguments of ``Figure.subplots``.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=size, layout='constrained')
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def save(figure: Figure, path: str | Path, dpi: int = 150) -> Path:
    """Write a figure; its suffix (``.png``, ``.svg``, ``.pdf``) chooses the format."""
    path = Path(path)
    with whole_file(path) as scratch:
        figure.savefig(scratch, dpi=dpi)
    return path


def shorten(text: str, length: int = 28) -> str:
    """A text of at most that length, cut with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + '…'
