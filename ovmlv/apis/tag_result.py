"""What tagging a video gives."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

_BAR = 20


class LabelScore(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class TagResult:
    """Probabilities of labels for one video.

    Each label has its own probability, so they do not add up to one.

    Attributes:
        video: Path of the video.
        labels: C labels, in the order they were asked for.
        probabilities: float32 ``(C,)``; NaN where the video could not be read.
        error: Why the video could not be read, in one line; None if it could.
        thresholds: float32 ``(C,)`` from a calibration: from which probability on a label is
            present.
    """

    video: str
    labels: tuple[str, ...]
    probabilities: np.ndarray
    error: str | None = None
    thresholds: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(self.labels),):
            raise ValueError(
                f'{self.video}: probabilities of shape {self.probabilities.shape} for '
                f'{len(self.labels)} labels; give one for each'
            )

    def top(self, k: int | None = None) -> list[LabelScore]:
        """The k most probable labels, best first; all of them for None. Ties keep their order."""
        if k is not None and k < 1:
            raise ValueError(f'k={k} must be at least 1, or None for all labels')
        if self.error is not None:
            return []
        order = np.argsort(-self.probabilities, kind='stable')[:k]
        return [LabelScore(self.labels[i], float(self.probabilities[i])) for i in order]

    def present(self, threshold: float | None = None) -> list[LabelScore]:
        """The labels whose probability reaches the threshold, best first.

        Args:
            threshold: The same for all labels; None: those of the calibration, or 0.5.
        """
        limits = self.thresholds if threshold is None else threshold
        reached = self.probabilities >= (0.5 if limits is None else limits)
        names = {label for label, yes in zip(self.labels, reached, strict=True) if yes}
        return [score for score in self.top() if score.label in names]

    def to_dict(self, k: int | None = None) -> dict[str, Any]:
        """Plain values for JSON: ``{"video", "labels": [{"label", "probability"}], "error"}``.

        Args:
            k: How many labels, best first; None is all.
        """
        return {
            'video': self.video,
            'labels': [score._asdict() for score in self.top(k)],
            'error': self.error,
        }

    def table(self, k: int | None = None) -> str:
        """The video and its k best labels with probabilities and bars, aligned."""
        if self.error is not None:
            return f'{self.video}\n  error: {self.error}'
        scores = self.top(k)
        width = max(map(display_width, (score.label for score in scores)), default=0)
        lines = [
            f'  {label}{" " * (width - display_width(label))}  {p:.3f}  {"#" * round(p * _BAR)}'
            for label, p in scores
        ]
        return '\n'.join(line.rstrip() for line in [self.video, *lines])

    def __str__(self) -> str:
        return self.table()


def display_width(text: str) -> int:
    """Columns of a terminal that a text takes; East Asian characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF' else 1
        for c in text
    )
