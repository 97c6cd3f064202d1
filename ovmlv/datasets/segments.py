"""Timelines: what happens in a video and when, and the labels of any part of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ovmlv.errors import ConfigError

# Times in annotation files have two decimals; sums of such floats are compared with this slack.
_EPS = 1e-6


@dataclass(frozen=True)
class Segment:
    """One annotated part of a video, as the file has it (also with ``start > end``).

    Attributes:
        labels: Labels of what is seen in it; the file may give several for one segment.
        start: Seconds from the start of the video.
        end: Seconds from the start of the video.
        negatives: Labels that the file says are absent from it; None if every other label is
            absent.
        extra: Further entries for the sample of this segment (``units='segment'``).

    Examples:
        >>> from ovmlv.datasets import Segment
        >>> segment = Segment(('jumping', 'clapping'), start=1.5, end=4.0)
        >>> segment.labels, segment.end - segment.start
        (('jumping', 'clapping'), 2.5)
    """

    labels: tuple[str, ...]
    start: float
    end: float
    negatives: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Timeline:
    """A video and its segments.

    Attributes:
        video: Path of the file, relative to ``data_prefix['video']``.
        segments: Segments in the order of the file.
        duration: Length in seconds; None if it is not in the annotations.
        ambiguous: ``(start, end)`` of parts that nobody could label: labels that are not positive
            there are unknown.
        video_id: Identity of the video in the data set's own terms.
        where: ``file:line`` for messages.
        extra: Further entries for every sample of this video.
        video_extra: Further entries for the sample of the whole video alone (long texts, ...).
        partial: Whether labels that are not mentioned are unknown rather than absent, as in test
            sets whose labels are withheld and in files that name what is absent. By default, this
            is so if a segment has ``negatives``.

    Examples:
        >>> from ovmlv.datasets import Segment, Timeline
        >>> Timeline('a.mp4', [Segment(('jumping',), 0.0, 2.0)], duration=8.0).open_world
        False
        >>> rated = Segment(('jumping',), 0.0, 2.0, negatives=('sitting',))
        >>> Timeline('a.mp4', [rated], duration=8.0).open_world  # labels not named are unknown
        True
    """

    video: str
    segments: list[Segment]
    duration: float | None = None
    ambiguous: Sequence[tuple[float, float]] = ()
    video_id: str = ''
    where: str = ''
    extra: dict[str, Any] = field(default_factory=dict)
    video_extra: dict[str, Any] = field(default_factory=dict)
    partial: bool | None = None

    @property
    def open_world(self) -> bool:
        """``partial``, or else what follows from the segments."""
        if self.partial is not None:
            return self.partial
        return any(s.negatives is not None for s in self.segments)


class SpanLabels:
    """Labels of any part of a video, by the share of it that each label covers.

    Args:
        timeline: The video; its segments must have ``start < end``.
        min_overlap: Share of the span that a label must cover to be positive. If it covers less, it
            is unknown.
        overlap_of: Kind of share: ``span`` is the share of the span that the segments of a label
            cover together. ``shorter`` is that share or the share of one of these segments that
            lies in the span, so that an action shorter than the span counts if it is (mostly)
            inside.
    """

    def __init__(
        self, timeline: Timeline, min_overlap: float = 0.5, overlap_of: str = 'span'
    ) -> None:
        self.segments = list(timeline.segments)
        self.starts = np.array([s.start for s in self.segments])
        self.ends = np.array([s.end for s in self.segments])
        self.ambiguous = list(timeline.ambiguous)
        self.open_world = timeline.open_world
        self.min_overlap, self.overlap_of = min_overlap, overlap_of

    def __call__(self, start: float, end: float) -> dict[str, tuple[str, ...] | None]:
        """``labels``, ``unknown`` and ``negatives`` of :class:`VideoAnnotation` for a span."""
        inside = np.flatnonzero((self.starts < end) & (self.ends > start)).tolist()
        parts: dict[str, list[tuple[float, float]]] = {}
        absent: dict[str, list[tuple[float, float]]] = {}
        shares: dict[str, float] = {}
        for segment in (self.segments[i] for i in inside):
            part = max(segment.start, start), min(segment.end, end)
            for label in segment.labels:
                parts.setdefault(label, []).append(part)
                own = (part[1] - part[0]) / (segment.end - segment.start)
                shares[label] = max(shares.get(label, 0.0), own)
            for label in segment.negatives or ():
                absent.setdefault(label, []).append(part)
        if self.overlap_of == 'span':
            shares = dict.fromkeys(shares, 0.0)
        length = end - start
        for label, spans in parts.items():
            shares[label] = max(shares[label], _union(spans) / length)
        enough = self.min_overlap - _EPS
        labels = tuple(label for label, share in shares.items() if share >= enough)
        negatives: tuple[str, ...] | None = None
        if any(a < end and b > start for a, b in self.ambiguous):
            negatives = ()
        elif self.open_world:
            # Absent from all of the span, as far as the file goes; present in none of it.
            negatives = tuple(
                label
                for label, spans in absent.items()
                if label not in shares and _union(spans) / length >= 1 - _EPS
            )
        unknown = tuple(label for label in shares if label not in labels)
        return dict(labels=labels, unknown=unknown, negatives=negatives)


def _union(spans: list[tuple[float, float]]) -> float:
    """Total length of spans that may overlap."""
    total, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def sliding_windows(
    duration: float, length: float, stride: float | None = None
) -> list[tuple[float, float]]:
    """Windows over a video, ``(start, end)`` in seconds.

    They start every ``stride`` seconds from 0. If that leaves the end uncovered, one more window
    ends with the video. A video shorter than ``length`` is one window.

    Args:
        duration: Length of the video.
        length: Length of a window.
        stride: Time between starts; by default ``length``, so that windows do not overlap.

    Examples:
        >>> from ovmlv.datasets import sliding_windows
        >>> sliding_windows(10.0, 4.0)
        [(0.0, 4.0), (4.0, 8.0), (6.0, 10.0)]
        >>> sliding_windows(6.0, 4.0, stride=2.0)
        [(0.0, 4.0), (2.0, 6.0)]
    """
    stride = length if stride is None else stride
    if length <= 0 or stride <= 0:
        raise ConfigError(f'window={length!r} and stride={stride!r} must be positive seconds')
    if duration <= length + _EPS:
        return [(0.0, duration)]
    count = int((duration - length) / stride + _EPS) + 1
    windows = [(i * stride, i * stride + length) for i in range(count)]
    if windows[-1][1] < duration - _EPS:
        windows.append((duration - length, duration))
    return windows


def even_times(duration: float, count: int) -> np.ndarray:
    """``count`` time points ``j / count * duration``, j = 0, 1, ...

    With 25, they are those of Charades' official ``Charades_v1_localize.m``.
    """
    return np.arange(count) / count * duration


def label_matrix(
    timeline: Timeline, times: np.ndarray, classes: Sequence[str], closed: bool = True
) -> np.ndarray:
    """Labels at time points, for localisation (per-frame mAP).

    Args:
        timeline: The video; segments with ``start > end`` hold at no time, as in the official
            scripts.
        times: ``(T,)`` seconds.
        classes: Names of the columns; other labels are left out.
        closed: Whether a segment holds at its very start and end: it does in
            ``Charades_v1_localize.m``; in the per-frame MultiTHUMOS protocol (Piergiovanni and
            Ryoo, super-events) it does not.

    Returns:
        ``(T, C)`` int64 of {1, 0, -1}; -1 where a part is ambiguous, or a label of a partially
        labelled video is neither named as present nor as absent.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets import Segment, Timeline, label_matrix
        >>> timeline = Timeline('a.mp4', [Segment(('jumping',), 0.0, 2.0)], ambiguous=[(4.0, 6.0)])
        >>> label_matrix(timeline, np.array([1.0, 3.0, 5.0]), ['jumping', 'sitting'])
        array([[ 1,  0],
               [ 0,  0],
               [-1, -1]])
    """
    times = np.asarray(times, dtype=np.float64)
    column = {label: i for i, label in enumerate(classes)}
    matrix = np.full((len(times), len(column)), -1 if timeline.open_world else 0, dtype=np.int64)
    for segment in timeline.segments:
        held = held_at(times, segment.start, segment.end, closed)
        for label in segment.negatives or ():
            if label in column:
                matrix[held, column[label]] = 0
    for start, end in timeline.ambiguous:
        matrix[held_at(times, start, end, closed)] = -1
    for segment in timeline.segments:
        held = held_at(times, segment.start, segment.end, closed)
        for label in segment.labels:
            if label in column:
                matrix[held, column[label]] = 1
    return matrix


def held_at(times: np.ndarray, start: float, end: float, closed: bool) -> np.ndarray:
    """Whether each of the times ``(T,)`` lies in a span, ``(T,)`` bool."""
    if closed:
        return (start <= times) & (times <= end)
    return (start < times) & (times < end)
