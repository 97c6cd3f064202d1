"""The results of tagging a video."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ovmlv.errors import DependencyError
from ovmlv.plain_text import display_width, message_line, visible

if TYPE_CHECKING:
    import pandas as pd

__all__ = ['LabelScore', 'TagResult', 'Timings', 'Window']

_BAR = 20


def source_name(video: object) -> str:
    """How a video is called in results and messages, by whatever means it is tagged.

    Args:
        video: A path; frames, which are called ``array``; or an open file, by its own name or as
            ``stream``.

    Examples:
        >>> import io
        >>> from pathlib import Path
        >>> import numpy as np
        >>> frames = np.zeros((8, 64, 64, 3), np.uint8)
        >>> [source_name(video) for video in (Path('clip.mp4'), frames, io.BytesIO())]
        ['clip.mp4', 'array', 'stream']
    """
    if isinstance(video, np.ndarray):
        return 'array'
    if isinstance(video, (str, os.PathLike)):
        return os.fsdecode(video)
    name = getattr(video, 'name', None)
    return name if isinstance(name, str) and name else 'stream'


class LabelScore(NamedTuple):
    """A label and its probability.

    Examples:
        >>> label, probability = LabelScore('a dog', 0.8)
        >>> f'{label}: {probability:.0%}'
        'a dog: 80%'
    """

    label: str
    probability: float


@dataclass(frozen=True)
class Window:
    """A part of a video, in seconds from its start.

    Examples:
        >>> window = Window(start=2.0, end=4.5)
        >>> window.end - window.start
        2.5
    """

    start: float
    end: float


@dataclass(frozen=True)
class Timings:
    """Seconds that a video took.

    Attributes:
        decode: Time to read and resize its frames.
        encode: Time to embed them; the time of a batch is divided evenly.
        score: Time to compare with the labels. It includes encoding labels that are new to the
            model.

    Examples:
        >>> timings = Timings(decode=0.5, encode=0.25)
        >>> timings.decode + timings.encode + timings.score
        0.75
    """

    decode: float
    encode: float
    score: float = 0.0


@dataclass(frozen=True, eq=False)
class TagResult:
    """Probabilities of labels for one video.

    Each label has its own probability, so they do not add up to one.

    Attributes:
        video: Path of the video, or what :func:`source_name` calls what is no file.
        labels: C labels, in the order in which they were asked for.
        probabilities: float32 ``(C,)``; with windows, the largest over them. They are NaN if the
            video could not be read.
        error: Why the video could not be read, in one line; None if it could.
        thresholds: float32 ``(C,)`` from a calibration: the least probability of each label that is
            present.
        windows: N parts of the video, in order of time; none if it was tagged as a whole.
        window_probabilities: float32 ``(N, C)``; None without windows.
        timings: Seconds that it took; None if they were not measured.

    Examples:
        >>> import numpy as np
        >>> probabilities = np.array([0.6, 0.8, 0.1], np.float32)
        >>> result = TagResult('clip.mp4', ('running', 'a dog', 'a cat'), probabilities)
        >>> [score.label for score in result.present()]
        ['a dog', 'running']
        >>> print(result.table(k=2))
        clip.mp4
          a dog    0.800  ################
          running  0.600  ############
    """

    video: str
    labels: tuple[str, ...]
    probabilities: np.ndarray
    error: str | None = None
    thresholds: np.ndarray | None = None
    windows: tuple[Window, ...] = ()
    window_probabilities: np.ndarray | None = None
    timings: Timings | None = None

    def __post_init__(self) -> None:
        shape = None if self.window_probabilities is None else self.window_probabilities.shape
        if shape != ((len(self.windows), len(self.labels)) if self.windows else None):
            raise ValueError(
                f'{self.video}: window_probabilities of shape {shape} for {len(self.windows)} '
                f'windows and {len(self.labels)} labels; give (windows, labels), or neither'
            )
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
            threshold: One threshold for all labels; None takes those of the calibration, or 0.5.
        """
        limits = self.thresholds if threshold is None else threshold
        reached = self.probabilities >= (0.5 if limits is None else limits)
        names = {label for label, yes in zip(self.labels, reached, strict=True) if yes}
        return [score for score in self.top() if score.label in names]

    def to_dict(self, k: int | None = None) -> dict[str, Any]:
        """Plain values for JSON: ``{"video", "labels": [{"label", "probability"}], "error"}``.

        With windows, there is also ``"windows": [{"start", "end", "probabilities"}]``, where
        probabilities are those of ``labels``, in that order. If timings were measured, there is
        ``"timings"``.

        Args:
            k: Number of labels, best first; None takes all of them.
        """
        scores = self.top(k)
        found: dict[str, Any] = {
            'video': self.video,
            'labels': [score._asdict() for score in scores],
            'error': self.error,
        }
        if self.windows:
            columns = self._columns([score.label for score in scores])
            found['windows'] = [
                dict(start=w.start, end=w.end, probabilities=row)
                for w, row in zip(self.windows, columns.T.tolist(), strict=True)
            ]
        if self.timings is not None:
            found['timings'] = {name: round(v, 6) for name, v in asdict(self.timings).items()}
        return found

    def to_json(self, k: int | None = None) -> str:
        """:meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(k), ensure_ascii=False, allow_nan=False)

    def to_pandas(self, k: int | None = None) -> pd.DataFrame:
        """A table with the columns ``video``, ``label`` and ``probability``, best labels first.

        With windows it has a row for each label and window, and the columns ``start`` and ``end``.

        Args:
            k: Number of labels; None takes all of them.
        """
        try:
            import pandas as pd
        except ImportError:
            raise DependencyError('to_pandas needs pandas: pip install pandas') from None
        scores = self.top(k)
        if not self.windows:
            whole = [(self.video, *score) for score in scores]
            return pd.DataFrame(whole, columns=['video', 'label', 'probability'])
        columns = self._columns([score.label for score in scores]).tolist()
        rows = [
            (self.video, score.label, p, window.start, window.end)
            for score, column in zip(scores, columns, strict=True)
            for window, p in zip(self.windows, column, strict=True)
        ]
        return pd.DataFrame(rows, columns=['video', 'label', 'probability', 'start', 'end'])

    @property
    def timeline(self) -> np.ndarray:
        """float32 ``(C, N)``: a row for each of ``labels``, a column for each window."""
        if self.window_probabilities is None:
            return np.empty((len(self.labels), 0), np.float32)
        return self.window_probabilities.T

    def _columns(self, labels: Sequence[str]) -> np.ndarray:
        """Rows of the timeline."""
        place = {label: i for i, label in enumerate(self.labels)}
        return self.timeline[[place[label] for label in labels]]

    def table(self, k: int | None = None) -> str:
        """The video and its k best labels with probabilities and bars, aligned."""
        name = visible(self.video)
        if self.error is not None:
            return f'{name}\n  error: {message_line(self.error)}'
        scores = [(visible(label), p) for label, p in self.top(k)]
        width = max((display_width(label) for label, _ in scores), default=0)
        lines = [
            f'  {label}{" " * (width - display_width(label))}  {p:.3f}  {"#" * round(p * _BAR)}'
            for label, p in scores
        ]
        return '\n'.join(line.rstrip() for line in [name, *lines])

    def __str__(self) -> str:
        return self.table()
