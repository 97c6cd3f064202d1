"""Targets of a sample as few numbers: three classes of thousands, and a value for all others.

A sample's dict has ``positive`` (columns of the value 1), ``other`` (columns of ``other_value``),
and ``default``, the value of all columns that are in neither: 0 (negative) or -1 (unknown).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def dense_targets(data: dict[str, Any], num_classes: int) -> np.ndarray:
    """Take the sparse targets out of a sample's dict, and give them as int64 ``(C,)``."""
    label = np.full(num_classes, data.pop('default'), dtype=np.int64)
    label[data.pop('other')] = data.pop('other_value')
    label[data.pop('positive')] = 1
    return label


def label_prior(data_list: Sequence[Mapping[str, Any]], num_classes: int) -> list[float]:
    """Share of positives among known targets; NaN for a class that is known nowhere."""
    positive, known = np.zeros(num_classes), np.zeros(num_classes)
    for data in data_list:
        positive[data['positive']] += 1
        if data['default'] == 0:
            known += 1
            known[data['other']] -= 1
        else:
            known[data['other']] += 1
            known[data['positive']] += 1
    return [
        p / k if k else math.nan for p, k in zip(positive.tolist(), known.tolist(), strict=True)
    ]
