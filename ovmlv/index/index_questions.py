"""Questions to the content of an index."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.apis.label_source import read_labels
from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.results import TagResult

from .approximate_search import measure, search_approximately
from .exact_search import Question, search
from .find_result import FindResult, Hit, window_of
from .label_logits import LabelLogits, labels_of
from .query import Query, read_query
from .settings import Approximate
from .snapshot import Snapshot
from .tagging import tag_videos

Labels = Sequence[str] | LabelBank | str | Path
Tagger = Callable[[Iterable[str | Path] | None], Iterator[TagResult]]


@dataclass(frozen=True)
class Choice:
    """Which windows may be hits; see :meth:`~ovmlv.index.VideoIndex.find_each`.

    Attributes:
        threshold: Least calibrated probability, or ``calibrated``.
        per: ``video`` or ``window``.
        after: Seconds.
        before: Seconds.
        within: Folder or pattern.
    """

    threshold: float | str | None = None
    per: str = 'video'
    after: float | None = None
    before: float | None = None
    within: str | None = None

    def __post_init__(self) -> None:
        if self.per not in ('video', 'window'):
            raise ConfigError(f"per={self.per!r} is not 'video' or 'window'")
        if isinstance(self.threshold, str):
            if self.threshold != 'calibrated':
                raise ConfigError(f"threshold={self.threshold!r} is no number and not 'calibrated'")
        elif self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f'threshold={self.threshold} must be from 0 to 1')

    def allowed(self, snapshot: Snapshot) -> np.ndarray | None:
        """Which windows may be hits, bool ``(N,)``; None allows all."""
        allowed = np.ones(len(snapshot), bool)
        if self.after is not None:
            allowed &= snapshot.ends > self.after
        if self.before is not None:
            allowed &= snapshot.starts < self.before
        if self.within is not None:
            fits = [is_below(row.path, self.within) for row in snapshot.videos]
            allowed &= np.array(fits, bool)[snapshot.video]
        return None if allowed.all() else allowed


class IndexQuestions:
    """Questions to a snapshot by a model.

    Args:
        snapshot: Content of the index.
        inferencer: Function that gives the model.
        approximate: The approximate index; None if there is none.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        inferencer: Callable[[], OVMLVInferencer],
        approximate: Approximate | None,
    ) -> None:
        self.snapshot, self.approximate = snapshot, approximate
        self._inferencer = inferencer

    def find_each(
        self, queries: Sequence[str | Query], top: int, choice: Choice, approximate: bool
    ) -> list[FindResult]:
        """See :meth:`~ovmlv.index.VideoIndex.find_each`."""
        asked = [read_query(query) for query in queries]
        if top < 1:
            raise ConfigError(f'top={top} must be at least 1')
        if approximate and self.approximate is None:
            raise ConfigError(
                f'index {self.snapshot.folder} has no approximate index; make it by "ovmlv index '
                'optimize --approximate"'
            )
        if not asked:
            return []
        labels = labels_of([query.labels for query in asked])
        logits = self.logits(labels)
        least: float | np.ndarray | None
        if isinstance(choice.threshold, str):
            calibration = self._inferencer().calibration
            half = np.full(len(labels), 0.5, np.float32)
            least = half if calibration is None else calibration.thresholds_of(labels)
        else:
            least = choice.threshold
        snapshot = self.snapshot
        question = Question(top, least, choice.allowed(snapshot), choice.per == 'video')
        recall = None
        if approximate:
            assert self.approximate is not None  # seen above
            recall = self.approximate.recall
            found = search_approximately(
                snapshot, logits, labels, asked, question, self.approximate
            )
        else:
            found = search(snapshot, logits, labels, asked, question)
        return [
            self._result(query, windows, values, logits, labels, recall)
            for query, (windows, values) in zip(asked, found, strict=True)
        ]

    def tagger(self, labels: Labels | None, timeline: bool) -> Tagger:
        """A function that tags videos, or all of them, with labels that were encoded once.

        For the arguments see :meth:`~ovmlv.index.VideoIndex.tag`.
        """
        target = self.target(labels)
        names = target.labels if isinstance(target, LabelBank) else target
        snapshot = self.snapshot
        if timeline and bool(np.isnan(snapshot.starts).any()):
            raise ConfigError('the videos have no times, so there is no timeline')
        calibration = self._inferencer().calibration
        logits = self.logits(target)

        def tag(videos: Iterable[str | Path] | None = None) -> Iterator[TagResult]:
            chosen = range(len(snapshot.videos)) if videos is None else map(self.position, videos)
            return tag_videos(snapshot, logits, names, calibration, list(chosen), timeline)

        return tag

    def measure(self, labels: Labels | None, parts: int, target: float) -> Approximate:
        """Measure an approximate index; see :func:`~ovmlv.index.approximate_search.measure`."""
        chosen = self.target(labels)
        names = chosen.labels if isinstance(chosen, LabelBank) else chosen
        logits = self.logits(names[:64])
        return measure(self.snapshot, logits, names, parts, target, f'{len(names)} labels')

    def target(self, labels: Labels | None) -> tuple[str, ...] | LabelBank:
        """Labels of whatever names them; None takes those of the model."""
        if labels is not None:
            return read_labels(labels, self._inferencer().model)
        own = self._inferencer().labels
        if own is None:
            raise VocabularyError("no labels are given; write labels=['a dog', 'running'], say")
        return own

    def logits(self, labels: tuple[str, ...] | LabelBank) -> LabelLogits:
        """What gives the logits of labels."""
        model = self._inferencer().model
        names = labels.labels if isinstance(labels, LabelBank) else labels
        model.label_parts.warn_of(names, 'an index of videos')
        if isinstance(labels, LabelBank):
            return LabelLogits(model, self._inferencer().calibration, labels.embeddings())
        text = model.encode_labels(labels)
        return LabelLogits(model, self._inferencer().calibration, text)

    def position(self, video: str | Path) -> int:
        """Position of a video, by its path."""
        found = self.snapshot.place.get(os.path.abspath(video))
        if found is None:
            raise DataError(
                f'index {self.snapshot.folder} has no video {video}; add it, or correct the path'
            )
        return found

    def _result(
        self,
        query: Query,
        windows: np.ndarray,
        values: np.ndarray,
        logits: LabelLogits,
        labels: tuple[str, ...],
        recall: float | None,
    ) -> FindResult:
        snapshot = self.snapshot
        columns = [labels.index(label) for label in query.labels]
        each = logits(snapshot.embeddings(windows))[:, columns].double().sigmoid().tolist()
        whole = torch.from_numpy(values).double().sigmoid().tolist()
        hits = tuple(
            Hit(
                snapshot.videos[snapshot.video[window]].path,
                window_of(snapshot.starts[window], snapshot.ends[window]),
                probability,
                dict(zip(query.labels, row, strict=True)),
                window,
            )
            for window, probability, row in zip(windows.tolist(), whole, each, strict=True)
        )
        return FindResult(
            str(query), hits, recall, lambda n: snapshot.thumbnails(np.array(n, np.int64))
        )


def is_below(path: str, entry: str | Path) -> bool:
    """Whether a path is that of a file, lies in a folder, or fits a pattern.

    Args:
        path: An absolute path.
        entry: A path from here, or a pattern: one from here (``clips/*.mp4``), or one of the whole
            path (``*holiday*``).
    """
    name = os.path.abspath(entry)
    patterns = (name, str(entry))
    return (
        path == name
        or path.startswith(os.path.join(name, ''))
        or any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
    )
