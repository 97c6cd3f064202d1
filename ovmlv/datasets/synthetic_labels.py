"""Generated labels that widen the vocabulary of training.

Quoted of the paper are labels that multimodal language models give to videos (see
docs/synthetic_labels.md); labels generated from labels or captions are ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import read_json
from ovmlv.labels import clean_labels, unique_labels
from ovmlv.labels.files import find_file

from .annotation import VideoAnnotation
from .formats.annotation_files import read_annotation_file

SYNTHETIC = 'synthetic'
_ARTICLES = re.compile(r'^(a|an|the|some)\s+')


def spelling_key(label: str) -> str:
    """The part that is equal in equal labels: letters and digits, without case, article, plural s.

    >>> spelling_key('The Red-Circles ') == spelling_key('a red circle')
    True
    """
    text = ' '.join(re.findall(r'[^\W_]+', label.casefold()))
    words = _ARTICLES.sub('', text).split()
    return ' '.join(w[:-1] if len(w) > 3 and w.endswith('s') and w[-2] != 's' else w for w in words)


@dataclass
class SyntheticLabels:
    """Generated labels of a data set, as further columns of its targets.

    A generated label is positive in videos that it was generated for. In other videos, nobody
    looked for it, so it is unknown unless it is known to be negative.

    Attributes:
        labels: The columns, in the order of the file.
        of_label: Given label -> labels generated from it; empty if the file is of videos.
        of_video: Video -> labels generated for it, and its negative labels; empty if the file is of
            labels.
        missing: See :meth:`load`.
        dropped: Reason -> number of labels that did not become a column.
    """

    labels: list[str]
    of_label: Mapping[str, Sequence[str]]
    of_video: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    missing: str
    dropped: Mapping[str, int]

    @classmethod
    def load(
        cls,
        source: str | Mapping[str, Any],
        root: str,
        annotations: Sequence[VideoAnnotation],
        classes: Sequence[str],
        known: Sequence[str],
    ) -> SyntheticLabels:
        """Read the file and choose the columns.

        A generated label that is already in the vocabulary does not become a column: for a label of
        training, the annotations tell the truth, and a label that is held out (unseen, novel) must
        not reach training in this way.

        Args:
            source: Path of the file, or ``dict(file=..., missing='unknown', min_videos=1)``. A
                ``.json`` object ``{"a dog": ["pet", "animal"], ...}`` says what was generated from
                labels, and gives it to every video with such a label; any other annotation file has
                rows of videos, ``{"video": ..., "labels": [...], "negatives": [...]}``. With
                ``missing='negative'``, a label is negative where it was not generated: for a file
                of labels, in videos where all labels that it comes from are negative; for a file of
                videos, in every other video of the file. ``min_videos``: labels of fewer videos are
                left out.
            root: ``data_root``.
            annotations: Annotations of the data set.
            classes: Labels that are trained on.
            known: All labels of the vocabulary.
        """
        options = dict(source) if isinstance(source, Mapping) else dict(file=source)
        file, missing = options.pop('file', None), options.pop('missing', 'unknown')
        min_videos = options.pop('min_videos', 1)
        fine = isinstance(file, str) and type(min_videos) is int
        if options or not fine or missing not in ('unknown', 'negative'):
            raise ConfigError(
                f'synthetic_labels={source!r}: give a file, or dict(file=..., missing="unknown" or '
                '"negative", min_videos=...)'
            )
        file, min_videos = cast(str, file), cast(int, min_videos)
        path = find_file(file, root, 'synthetic_labels')
        of_label, of_video = _one_spelling(*_read(path, classes))
        lists = of_label.values() if of_label else (labels for labels, _ in of_video.values())
        candidates = list(dict.fromkeys(label for labels in lists for label in labels))
        found = cls([], of_label, of_video, missing, {})
        counts = Counter(label for a in annotations for label in found.positives(a, classes))
        found.labels, found.dropped = _choose(candidates, classes, known, counts, min_videos)
        if not found.labels:
            raise DataError(f'{path}: no label is left of it for training ({found.dropped})')
        _warn_if_unmatched(path, of_video, annotations)
        reasons = ', '.join(f'{n} {reason}' for reason, n in found.dropped.items())
        MMLogger.get_current_instance().info(
            f'synthetic labels of {path}: {len(found.labels)} columns'
            + (f'; left out {reasons}' if reasons else '')
        )
        return found

    def positives(self, annotation: VideoAnnotation, classes: Sequence[str]) -> set[str]:
        """All labels generated for a video, from its labels among ``classes``."""
        if self.of_video:
            return set(self.of_video.get(annotation.video, ((), ()))[0])
        taken = set(classes)
        return {
            new
            for label in annotation.labels
            if label in taken
            for new in self.of_label.get(label, ())
        }

    def extend(
        self, data: dict, annotation: VideoAnnotation, classes: Sequence[str], offset: int
    ) -> dict:
        """Add the columns to the sparse targets of a sample.

        Args:
            data: The sample, with ``positive`` and ``other`` encoded for ``classes``.
            annotation: Its annotation.
            classes: Labels with a column of their own.
            offset: Index of the first new column.
        """
        wanted = self.positives(annotation, classes)
        negative = self._negatives(annotation, data, classes)
        positive: list[int] = []
        told: list[int] = []
        unknown: list[int] = []
        for column, label in enumerate(self.labels, offset):
            where = positive if label in wanted else told if label in negative else unknown
            where.append(column)
        other = unknown if data['default'] == 0 else told
        for key, columns in (('positive', positive), ('other', other)):
            data[key] = np.concatenate([data[key], np.array(columns, dtype=np.int32)])
        return data

    def _negatives(
        self, annotation: VideoAnnotation, data: Mapping, classes: Sequence[str]
    ) -> set[str]:
        """Labels that are negative for a video, some of which may be positive after all."""
        if self.of_video:
            row = self.of_video.get(annotation.video)
            if self.missing == 'negative' and row is not None:
                return set(self.labels)
            return set(row[1]) if row else set()
        if self.missing == 'unknown':
            return set()
        # Positive or unknown labels may carry what was generated from them; negative ones do not.
        state = np.full(len(classes), data['default'])
        state[data['other']] = data['other_value']
        possible = {
            new
            for label, value in zip(classes, state, strict=True)
            if value == -1
            for new in self.of_label.get(label, ())
        }
        return set(self.labels) - possible


def add_synthetic_labels(
    source: str | Mapping[str, Any],
    root: str,
    data_list: Sequence[dict],
    annotations: Sequence[VideoAnnotation],
    metainfo: dict[str, Any],
    known: Sequence[str],
) -> None:
    """Append columns of generated labels to a data set.

    Args:
        source: See :meth:`SyntheticLabels.load`.
        root: ``data_root``.
        data_list: Encoded samples; they are changed in place.
        annotations: Annotations of these samples.
        metainfo: ``classes`` and ``class_attributes``; it is changed in place. New labels have
            ``synthetic`` on the axis ``split``, and ``other`` on the other axes.
        known: All labels of the vocabulary.
    """
    classes = metainfo['classes']
    added = SyntheticLabels.load(source, root, annotations, classes, known)
    for data, annotation in zip(data_list, annotations, strict=True):
        added.extend(data, annotation, classes, len(classes))
    metainfo['classes'] = [*classes, *added.labels]
    for axis, values in metainfo['class_attributes'].items():
        values += [SYNTHETIC if axis == 'split' else 'other'] * len(added.labels)


def _read(
    path: str, classes: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, tuple[Sequence[str], Sequence[str]]]]:
    """What a file says about labels, or about videos."""
    if path.endswith('.json') and isinstance(table := read_json(path), dict):
        sources = unique_labels(list(table), path)
        lists = [clean_labels(new, label, path) for label, new in table.items()]
        taken = set(classes)
        found = zip(sources, lists, strict=True)
        return {label: list(new) for label, new in found if label in taken}, {}
    of_video: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
    for row in read_annotation_file(path):
        labels, negatives = of_video.get(row.video, ((), ()))
        of_video[row.video] = ((*labels, *row.labels), (*negatives, *(row.negatives or ())))
    return {}, of_video


def _one_spelling(
    of_label: dict[str, list[str]], of_video: dict[str, tuple[Sequence[str], Sequence[str]]]
) -> tuple[dict[str, list[str]], dict[str, tuple[list[str], list[str]]]]:
    """Give labels that are the same their first spelling."""
    first: dict[str, str] = {}

    def spell(labels: Sequence[str]) -> list[str]:
        keyed = [(spelling_key(label), label) for label in labels]
        return [first.setdefault(key, label) for key, label in keyed if key]

    return (
        {label: spell(new) for label, new in of_label.items()},
        {video: (spell(new), spell(told)) for video, (new, told) in of_video.items()},
    )


def _choose(
    candidates: Sequence[str],
    classes: Sequence[str],
    known: Sequence[str],
    counts: Mapping[str, int],
    min_videos: int,
) -> tuple[list[str], dict[str, int]]:
    """The labels that become columns, and why others do not."""
    trained, taken = set(map(spelling_key, classes)), set(map(spelling_key, known))
    kept: list[str] = []
    dropped: Counter[str] = Counter()
    for label in candidates:
        key = spelling_key(label)
        if key in trained:
            dropped['that are labels of training'] += 1
        elif key in taken:
            dropped['that are held out'] += 1
        elif counts[label] < max(min_videos, 1):
            dropped[f'of fewer than {max(min_videos, 1)} videos'] += 1
        else:
            kept.append(label)
    return kept, dict(dropped)


def _warn_if_unmatched(
    path: str, of_video: Mapping[str, Any], annotations: Sequence[VideoAnnotation]
) -> None:
    strange = set(of_video) - {a.video for a in annotations}
    if strange:
        MMLogger.get_current_instance().warning(
            f'{path}: {len(strange)} of {len(of_video)} videos are not in the annotations (first: '
            f'{min(strange)})'
        )
