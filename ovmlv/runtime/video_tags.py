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
    """

    video: str | None
    labels: tuple[str, ...]
    probabilities: np.ndarray

    def top(self, k: int | None = None) -> dict[str, float]:
        """The k most probable labels with their probabilities, best first; all for None."""
        order = np.argsort(-self.probabilities, kind='stable')[:k]
        return {self.labels[i]: float(self.probabilities[i]) for i in order}

    def to_dict(self, k: int | None = None) -> dict:
        """Plain values for JSON: ``{"video", "labels": [{"label", "probability"}]}``."""
        rows = [dict(label=label, probability=p) for label, p in self.top(k).items()]
        return dict(video=self.video, labels=rows)

    def __str__(self) -> str:
        width = max(map(len, self.labels))
        rows = [f'  {label:{width}}  {p:.3f}' for label, p in self.top().items()]
        return '\n'.join([self.video or 'frames', *rows])
