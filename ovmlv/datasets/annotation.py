"""The form in which every annotation reader gives its samples, whatever its file format is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.labels import clean_labels

from .cells import span


@dataclass
class VideoAnnotation:
    """One sample: a video, or a segment of one, with its labels as strings.

    A label of the vocabulary that is in none of the three lists is negative, unless ``negatives``
    is given (then it is unknown) or the data set says otherwise (``missing='unknown'``). The lists
    are kept cleaned (see :mod:`ovmlv.labels.checks`), without repetitions, as tuples.

    Attributes:
        video: Path of the video file, relative to ``data_prefix['video']``.
        labels: Positive labels.
        unknown: Labels nobody looked for; they are -1, which losses and metrics ignore.
        negatives: Labels known to be absent; None if the file does not say.
        segment: ``(start, end)`` in seconds; None means the whole video.
        video_id: Identity of the video in the data set's own terms.
        where: ``file:line`` for messages.
        extra: Further entries for the sample's dict.
    """

    video: str
    labels: Sequence[str] = ()
    unknown: Sequence[str] = ()
    negatives: Sequence[str] | None = None
    segment: tuple[float, float] | None = None
    video_id: str = ''
    where: str = ''
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.video = check_video(self.video, self.where)
        self.labels = clean_labels(self.labels, 'labels', self.where)
        self.unknown = clean_labels(self.unknown, 'unknown', self.where)
        if self.negatives is not None:
            self.negatives = clean_labels(self.negatives, 'negatives', self.where)
        lists = dict(labels=self.labels, unknown=self.unknown, negatives=self.negatives or ())
        for first, second in (
            ('labels', 'unknown'),
            ('labels', 'negatives'),
            ('unknown', 'negatives'),
        ):
            both = set(lists[first]) & set(lists[second])
            if both:
                raise DataError(
                    f'{self.where}: label {sorted(both)[0]!r} is in both {first!r} and '
                    f'{second!r}; keep it in one'
                )
        if self.segment is not None:
            self.segment = check_segment(self.segment, self.where)
        self.video_id = self.video_id or self.video


def check_segment(segment: Any, where: str) -> tuple[float, float]:
    """``(start, end)`` as floats, with 0 <= start < end."""
    start, end = span(segment, where)
    if end <= start:
        raise DataError(
            f'{where}: segment [{start:g}, {end:g}] ends before it starts; give [start, end] '
            'with start < end'
        )
    return start, end


def check_video(video: Any, where: str) -> str:
    """The path of a video file, if it can be one."""
    if not isinstance(video, str):
        raise DataError(
            f'{where}: the video path is {shown(video)}, not a text; write it in quotes'
        )
    if not video.strip():
        raise DataError(f'{where}: the video path is empty; give the path of a video file')
    if '\0' in video:
        raise DataError(f'{where}: the video path {shown(video)} has a null byte; correct it')
    return video
