"""Results with chosen probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ovmlv.apis import TagResult, Window


def whole(video: str | Path, scores: dict[str, float], **kwargs: object) -> TagResult:
    """Of a whole video."""
    values = np.array(list(scores.values()), np.float32)
    return TagResult(str(video), tuple(scores), values, **kwargs)


def windowed(
    video: str | Path,
    labels: Sequence[str],
    table: Sequence[Sequence[float]],
    spans: Sequence[tuple[float, float]],
    **kwargs: object,
) -> TagResult:
    """Of windows; ``table`` has a row for each."""
    values = np.array(table, np.float32)
    windows = tuple(Window(*span) for span in spans)
    return TagResult(
        str(video),
        tuple(labels),
        values.max(0),
        windows=windows,
        window_probabilities=values,
        **kwargs,
    )


def broken(video: str | Path, error: str) -> TagResult:
    """Of a video that could not be read."""
    return TagResult(str(video), ('a',), np.full(1, np.nan, np.float32), error)
