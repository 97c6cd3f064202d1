"""Precision-recall curves and reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import DataError
from ovmlv.evaluation.functional import average_precision, expected_calibration_error
from ovmlv.evaluation.functional.calibration import bin_edges, bins_of_equal_width, known_pairs
from ovmlv.evaluation.label_scores import LabelScores

from .style import COLORS, FAINT, INK, chart, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision against recall, from the best score on; ``ap`` is the area under its steps."""

    recall: np.ndarray
    precision: np.ndarray
    ap: float


def precision_recall(scores: Tensor, targets: Tensor) -> Curve:
    """The curve of all known pairs in one ranking; equal scores are one point.

    Args:
        scores: ``(N, C)``
        targets: ``(N, C)`` of {1, 0, -1}.
    """
    known = targets >= 0
    values, hits = scores[known].double().numpy(), (targets[known] == 1).numpy()
    if not hits.any():
        raise DataError('precision and recall need at least one positive among the labels chosen')
    order = np.argsort(-values, kind='stable')
    values, found = values[order], np.cumsum(hits[order])
    last = np.append(values[1:] != values[:-1], True)  # of each group of equal scores
    ranks = np.arange(1, len(values) + 1)
    recall, precision = found[last] / found[-1], found[last] / ranks[last]
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return Curve(np.append(0.0, recall), np.append(precision[0], precision), area)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of probabilities: lower edge, mean probability, share of positives and number of pairs
    of each.
    """

    left: np.ndarray
    probability: np.ndarray
    frequency: np.ndarray
    count: np.ndarray
    ece: float


def reliability(scores: Tensor, targets: Tensor, num_bins: int = 15) -> Reliability:
    """The pairs and the bins of equal width that the calibration error is of.

    Args:
        scores: Probabilities ``(N, C)``; ``-inf`` (no prediction) is left out.
        targets: ``(N, C)`` of {1, 0, -1}.
        num_bins: Number of bins; empty ones are left out.
    """
    values, hits = known_pairs(scores, targets)
    place = bins_of_equal_width(values, num_bins)
    count = torch.bincount(place, minlength=num_bins)
    used = count > 0
    mean = torch.bincount(place, values, num_bins)[used] / count[used]
    share = torch.bincount(place, hits, num_bins)[used] / count[used]
    error = float(expected_calibration_error(scores, targets, num_bins))
    left = bin_edges(num_bins)[:-1][used]
    return Reliability(left.numpy(), mean.numpy(), share.numpy(), count[used].numpy(), error)


def draw_curves(
    runs: Mapping[str, LabelScores], path: str | Path, axis: str = 'split', num_bins: int = 15
) -> Path:
    """Draw precision and recall, reliability and pairs in each bin, for groups and all labels.

    Args:
        runs: Name -> predictions of the same labels.
        path: Picture to write.
        axis: Attribute whose values are the groups; a group without positives is left out.
        num_bins: Number of bins of the reliability diagram.
    """
    first = next(iter(runs.values()))
    values = list(dict.fromkeys(first.attributes.get(axis, ())))
    groups = {value: first.columns(axis, value) for value in values}
    groups = {k: chosen for k, chosen in groups.items() if (first.targets[:, chosen] == 1).any()}
    if len(groups) != 1:
        groups['all labels'] = list(range(len(first.classes)))
    with chart(len(groups), 3, (10, 3.3 * len(groups))) as (figure, grid):
        for axes, (name, chosen) in zip(grid, groups.items(), strict=True):
            some = {run: (s.scores[:, chosen], s.targets[:, chosen]) for run, s in runs.items()}
            _draw_precision_recall(axes[0], some, f'{name} ({len(chosen)})')
            _draw_reliability(axes[1], axes[2], some, num_bins)
        return save(figure, path)


_Pairs = Mapping[str, tuple[Tensor, Tensor]]  # run -> scores and targets, (N, C) each


def _draw_precision_recall(ax: Axes, runs: _Pairs, title: str) -> None:
    for i, (name, (scores, targets)) in enumerate(runs.items()):
        curve = precision_recall(scores, targets)
        macro = float(average_precision(scores, targets).nanmean())
        ax.step(
            curve.recall, curve.precision, where='pre', color=COLORS[i % len(COLORS)],
            linewidth=1.5, label=f'{name}: {100 * curve.ap:.1f} ({100 * macro:.1f})',
        )  # fmt: skip
    known = targets >= 0
    share = float((targets[known] == 1).double().mean())
    ax.axhline(share, color=FAINT, linestyle=':', linewidth=1)
    ax.set(title=title, xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(title='micro AP (mAP) in %', loc='upper right', fontsize=8, title_fontsize=8)


def _draw_reliability(ax: Axes, counts: Axes, runs: _Pairs, num_bins: int) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, linestyle='--', linewidth=1)
    width = 0.8 / num_bins / len(runs)
    for i, (name, (scores, targets)) in enumerate(runs.items()):
        color = COLORS[i % len(COLORS)]
        bins = reliability(scores, targets, num_bins)
        ax.plot(
            bins.probability, bins.frequency, 'o-', color=color, linewidth=1.5, markersize=4,
            label=f'{name}: {100 * bins.ece:.1f}',
        )  # fmt: skip
        counts.bar(bins.left + (i + 0.5) * width, bins.count, width, color=color, label=name)
    ax.set(
        title='reliability', xlabel='predicted probability', ylabel='share of positives',
        xlim=(0, 1), ylim=(0, 1.02),
    )  # fmt: skip
    ax.legend(title='calibration error in %', loc='upper left', fontsize=8, title_fontsize=8)
    counts.set(title='pairs in each bin', xlabel='predicted probability', xlim=(0, 1))
    counts.set_yscale('log')
    counts.tick_params(colors=INK, which='both', length=2)
