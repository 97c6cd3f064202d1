"""Rows of a contact sheet from what data sets and models give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ovmlv.evaluation.metrics.label_groups import ordered_values

from .contact_sheet import SheetLabel


def best_labels(
    scores: np.ndarray,
    truth: np.ndarray | None,
    metainfo: Mapping[str, Any],
    top_k: int,
    min_probability: float = 0.0,
) -> list[SheetLabel]:
    """The ``top_k`` most probable labels of each split, of those that are probable enough.

    Args:
        scores: Probabilities ``(C,)``.
        truth: ``(C,)`` of {1, 0, -1}; None if it is not known.
        metainfo: Metainfo of the data set.
        top_k: Number of labels of each split, at most.
        min_probability: Least probability of a label that is shown.
    """
    classes, splits = metainfo['classes'], label_splits(metainfo)
    order = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= min_probability]
    found = []
    for split in ordered_values(splits):
        for i in [i for i in order if splits[i] == split][:top_k]:
            right = None if truth is None or truth[i] < 0 else bool(truth[i])
            found.append(SheetLabel(classes[i], float(scores[i]), right, split))
    return found


def true_labels(truth: np.ndarray, metainfo: Mapping[str, Any]) -> list[SheetLabel]:
    """The labels that a video has, without probabilities."""
    classes, splits = metainfo['classes'], label_splits(metainfo)
    return [
        SheetLabel(classes[i], None, None, splits[i]) for i in np.flatnonzero(truth == 1).tolist()
    ]


def label_splits(metainfo: Mapping[str, Any]) -> Sequence[str]:
    """The split of each label (seen, unseen, ...), or an empty word for all."""
    splits = (metainfo.get('class_attributes') or {}).get('split')
    return splits or [''] * len(metainfo['classes'])


def title_with_truth(name: str, truth: np.ndarray, metainfo: Mapping[str, Any]) -> str:
    """A name, followed by the labels that the video has."""
    true = [metainfo['classes'][i] for i in np.flatnonzero(truth == 1).tolist()]
    if not true:
        return name
    return f'{name} · {len(true)} true label{"s" * (len(true) > 1)}: {", ".join(true)}'
