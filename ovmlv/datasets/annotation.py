"""What every annotation reader yields, whatever its file format is."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ovmlv.errors import DataError, VocabularyError


@dataclass
class VideoAnnotation:
    """One sample: a video, or a segment of one, with its labels as strings.

    A label of the vocabulary that is in none of the three lists is negative, unless ``negatives``
    is given (then it is unknown) or the data set says otherwise (``missing='unknown'``). The lists
    are kept stripped, without repetitions, as tuples.

    Attributes:
        video: Path of the video file, relative to ``data_prefix['video']``.
        labels: Positive labels.
        unknown: Labels nobody looked for: -1, ignored by losses and metrics.
        negatives: Labels known to be absent; None: not stated.
        segment: ``(start, end)`` in seconds; None: the whole video.
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
        if not isinstance(self.video, str) or not self.video.strip():
            raise DataError(f'{self.where}: the video path is empty; give the path of a video file')
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


def clean_labels(labels: Any, name: str, where: str) -> tuple[str, ...]:
    """Strip, check and de-duplicate a row's list of labels, keeping its order."""
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise DataError(f'{where}: {name!r} is {labels!r}; give a list of label strings')
    for label in labels:
        if not isinstance(label, str):
            raise DataError(
                f'{where}: label {label!r} in {name!r} is no string; write it in quotes'
            )
        if not label.strip():
            raise DataError(f'{where}: {name!r} has an empty label; remove it')
    return tuple(dict.fromkeys(label.strip() for label in labels))


def check_segment(segment: Any, where: str) -> tuple[float, float]:
    """``(start, end)`` as floats, with 0 <= start < end."""
    try:
        start, end = (float(v) for v in segment)
    except (TypeError, ValueError):
        raise DataError(f'{where}: segment {segment!r} is not [start, end] in seconds') from None
    if not (math.isfinite(start) and math.isfinite(end)):
        raise DataError(f'{where}: segment [{start}, {end}] is not finite; give seconds')
    if start < 0:
        raise DataError(
            f'{where}: segment [{start:g}, {end:g}] starts before 0; give seconds from the start '
            'of the video'
        )
    if end <= start:
        raise DataError(
            f'{where}: segment [{start:g}, {end:g}] ends before it starts; give [start, end] '
            'with start < end'
        )
    return start, end


def unlisted_label_error(
    label: str, vocabulary: Sequence[str], where: str, mend: str = ''
) -> VocabularyError:
    """The error for a label that is in no vocabulary, with the nearest names."""
    near = difflib.get_close_matches(label, vocabulary, n=3, cutoff=0.5)
    hint = f' (nearest: {", ".join(map(repr, near))})' if near else ''
    return VocabularyError(
        f'{where}: label {label!r} is not among the {len(vocabulary)} classes{hint}; correct it or '
        f'add it to classes{mend}'
    )
