"""All labels for all videos of an index, one video after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.results import TagResult, Window

from .label_logits import LabelLogits
from .snapshot import CHUNK, Snapshot

#: Probabilities that are in memory at once.
_VALUES = 16_000_000


def tag_videos(
    snapshot: Snapshot,
    logits: LabelLogits,
    labels: tuple[str, ...],
    calibration: Calibration | None,
    videos: Sequence[int],
    timeline: bool,
) -> Iterator[TagResult]:
    """Results as ``OVMLVInferencer`` gives them; nothing is decoded.

    Args:
        snapshot: The index.
        logits: Logits of the labels.
        labels: C labels.
        calibration: Gives the thresholds; None gives none.
        videos: Positions of the videos.
        timeline: Whether to keep the probabilities of each window.
    """
    thresholds = None if calibration is None else calibration.thresholds_of(labels)
    rows = max(1, min(CHUNK, _VALUES // max(1, len(labels))))
    for group in _groups(snapshot, videos, rows):
        windows = np.concatenate([own for _, own in group])
        embeddings = snapshot.embeddings(windows)
        at = 0
        for video, own in group:
            part = embeddings[at : at + len(own)]
            at += len(own)
            yield _result(snapshot, video, own, part, logits, labels, thresholds, rows, timeline)


def _groups(
    snapshot: Snapshot, videos: Sequence[int], rows: int
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Videos with their windows, about ``rows`` windows at once."""
    group: list[tuple[int, np.ndarray]] = []
    size = 0
    for video in videos:
        own = snapshot.windows_of(video)
        group.append((video, own))
        size += len(own)
        if size >= rows:
            yield group
            group, size = [], 0
    if group:
        yield group


def _result(
    snapshot: Snapshot,
    video: int,
    own: np.ndarray,
    embeddings: np.ndarray,
    logits: LabelLogits,
    labels: tuple[str, ...],
    thresholds: np.ndarray | None,
    rows: int,
    timeline: bool,
) -> TagResult:
    best = np.full(len(labels), -np.inf, np.float32)
    kept = []
    for start in range(0, len(own), rows):
        part = logits(embeddings[start : start + rows])
        best = np.maximum(best, part.amax(0).numpy())
        if timeline:
            kept.append(part.sigmoid().numpy())
    probabilities = (1 / (1 + np.exp(-best.astype(np.float64)))).astype(np.float32)
    name = snapshot.videos[video].path
    if not timeline:
        return TagResult(name, labels, probabilities, thresholds=thresholds)
    times = zip(snapshot.starts[own].tolist(), snapshot.ends[own].tolist(), strict=True)
    windows = tuple(Window(start, end) for start, end in times)
    return TagResult(
        name,
        labels,
        probabilities,
        thresholds=thresholds,
        windows=windows,
        window_probabilities=np.concatenate(kept),
    )
