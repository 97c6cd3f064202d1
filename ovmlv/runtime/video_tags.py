"""What tagging a video gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class VideoTags:
    """Probabilities of labels for one video, each label for itself.

    Attributes:
        video: Path, or None for frames.
        labels: C labels.
        probabilities: float32 ``(C,)``.
        thresholds: float32 ``(C,)`` of the calibration; None without one.
    """

    video: str | None
    labels: tuple[str, ...]
    probabilities: np.ndarray
    thresholds: np.ndarray | None = None

    def top(self, k: int | None = None) -> dict[str, float]:
        """The k most probable labels with their probabilities, best first; all for None."""
        order = np.argsort(-self.probabilities, kind='stable')[:k]
        return {self.labels[i]: float(self.probabilities[i]) for i in order}

    def present(self, threshold: float | None = None) -> dict[str, float]:
        """The labels whose probability reaches the threshold, best first.

        Args:
            threshold: The same for all labels; None: those of the calibration, or 0.5.
        """
        limits = self.thresholds if threshold is None else threshold
        reached = self.probabilities >= (0.5 if limits is None else limits)
        names = {label for label, yes in zip(self.labels, reached, strict=True) if yes}
        return {label: p for label, p in self.top().items() if label in names}

    def to_dict(self, k: int | None = None) -> dict:
        """Plain values for JSON: ``{"video", "labels": [{"label", "probability"}]}``."""
        rows = [dict(label=label, probability=p) for label, p in self.top(k).items()]
        return dict(video=self.video, labels=rows)

    def __str__(self) -> str:
        width = max(map(len, self.labels))
        rows = [f'  {label:{width}}  {p:.3f}' for label, p in self.top().items()]
        return '\n'.join([self.video or 'frames', *rows])
