"""The window that a moment of a video belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def window_cells(windows: Sequence[Any]) -> np.ndarray:
    """Begin and end ``(N, 2)`` of each window's cell, in seconds.

    If windows overlap, a moment belongs to the one whose middle is nearer.

    Args:
        windows: N windows with ``start`` and ``end``, in the order of time.
    """
    spans = np.array([(w.start, w.end) for w in windows], np.float64).reshape(-1, 2)
    earlier, later = spans[:-1], spans[1:]
    middles = (earlier.mean(1) + later.mean(1)) / 2
    meet = np.clip(middles, later[:, 0], np.maximum(earlier[:, 1], later[:, 0]))
    overlap = later[:, 0] < earlier[:, 1]
    cells = spans.copy()
    cells[:-1, 1] = np.where(overlap, meet, earlier[:, 1])
    cells[1:, 0] = np.where(overlap, meet, later[:, 0])
    return cells


def cell_at(cells: np.ndarray, time: float) -> int:
    """The cell that a time is in, or the nearest one between cells; at a bound, the earlier one."""
    distance = np.maximum(cells[:, 0] - time, time - cells[:, 1]).clip(min=0)
    return int(distance.argmin())
