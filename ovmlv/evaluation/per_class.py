"""A row of figures for each label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from ovmlv.errors import DataError

from .functional import average_precision
from .label_scores import LabelScores


def per_class_rows(runs: Mapping[str, LabelScores], threshold: float = 0.5) -> list[dict]:
    """Figures of each label: the AP of every run, and figures of the last run that explain it.

    Args:
        runs: Name -> predictions of the same labels.
        threshold: Threshold of predictions, and so of precision and recall.

    Returns:
        One dict for each label, all with the same keys: ``label``, its attributes, ``positives``,
        ``known``, ``AP`` (with several runs, it has the run's name, and ``change`` is the last one
        minus the first), ``predicted`` (pairs from the threshold on), ``precision``, ``recall``,
        ``mean_probability`` and ``share`` of positives. The difference of these two is the bias of
        the label.
    """
    first, last = next(iter(runs.values())), list(runs.values())[-1]
    scores, targets = last.scores.double(), last.targets
    aps = {name: average_precision(run.scores, run.targets) for name, run in runs.items()}
    known, positive = targets >= 0, targets == 1
    predicted = (scores >= threshold) & known
    hits = (predicted & positive).sum(0)
    total = known.sum(0)
    mean = (scores * known).sum(0) / total
    rows = []
    for i, label in enumerate(first.classes):
        row: dict = dict(
            label=label,
            **{axis: values[i] for axis, values in first.attributes.items()},
            positives=int(positive[:, i].sum()),
            known=int(total[i]),
        )
        if len(aps) == 1:
            row['AP'] = float(next(iter(aps.values()))[i])
        else:
            values = [float(ap[i]) for ap in aps.values()]
            row.update({f'AP {name}': value for name, value in zip(aps, values, strict=True)})
            row['change'] = values[-1] - values[0]
        row['predicted'] = int(predicted[:, i].sum())
        row['precision'] = _ratio(hits[i], predicted[:, i].sum())
        row['recall'] = _ratio(hits[i], positive[:, i].sum())
        row['mean_probability'] = float(mean[i])
        row['share'] = _ratio(positive[:, i].sum(), total[i])
        rows.append(row)
    return rows


def sort_rows(rows: Sequence[dict], key: str, descending: bool = False) -> list[dict]:
    """Sort rows by a column, the smallest or the largest first; rows without a figure come last."""
    if rows and key not in rows[0]:
        raise DataError(f'--sort {key}: there is no such column; there are {", ".join(rows[0])}')

    missing = [r for r in rows if isinstance(r[key], float) and math.isnan(r[key])]
    there = [r for r in rows if not (isinstance(r[key], float) and math.isnan(r[key]))]
    return [*sorted(there, key=lambda row: row[key], reverse=descending), *missing]


def _ratio(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a) / float(b) if float(b) else math.nan
