"""The figures that a multi-label evaluation may have, and their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ovmlv.evaluation import functional as F

#: What is always computed for all labels.
STANDARD = ('mAP', 'mAP_micro', 'mAP_weighted', 'F1', 'ECE')


@dataclass(frozen=True)
class Settings:
    """Options that the figures share; see :class:`MultilabelMetric`."""

    thresholds: Sequence[float] = (0.5,)
    topk: Sequence[int] = (3,)
    min_positives: int = 1
    num_bins: int = 15
    gap_k: int = 20

    def cuts(self) -> list[tuple[str, Callable[..., F.PrecisionRecall], float]]:
        """Name, function and argument of every cut between predictions and other scores."""
        return [(f'{t:g}', F.precision_recall_at_threshold, t) for t in self.thresholds] + [
            (str(k), F.precision_recall_at_k, k) for k in self.topk
        ]


def _aupr(scores: Tensor, targets: Tensor, settings: Settings) -> dict[str, Tensor]:
    values, positives = F.area_under_pr_curve(scores, targets), (targets == 1).sum(0)
    flat = F.area_under_pr_curve(scores.reshape(-1, 1), targets.reshape(-1, 1))[0]
    found = {'AUPR_micro': flat}
    for average, name in (('macro', 'AUPR'), ('weighted', 'AUPR_weighted')):
        found[name] = F.reduce_average_precision(values, positives, average, settings.min_positives)
    return found


def _precision_recall(scores: Tensor, targets: Tensor, settings: Settings) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, function, cut in settings.cuts():
        value = function(scores, targets, cut)
        found |= {f'P@{name}': value.precision, f'R@{name}': value.recall}
    return found


def _by_class(scores: Tensor, targets: Tensor, settings: Settings) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, function, cut in settings.cuts():
        value = function(scores, targets, cut, 'class')
        means = function(scores, targets, cut, 'class_of_means').f1
        found |= {f'CP@{name}': value.precision, f'CR@{name}': value.recall}
        found |= {f'CF1@{name}': value.f1, f'CF1_of_means@{name}': means}
    return found


def _mkt(scores: Tensor, targets: Tensor, settings: Settings) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for k in settings.topk:
        value = F.precision_recall_at_k(scores, targets, k, **F.DEFINITIONS['mkt'])
        found |= {f'P_mkt@{k}': value.precision, f'R_mkt@{k}': value.recall}
        found[f'F1_mkt@{k}'] = value.f1
    return found


def _peak(scores: Tensor, targets: Tensor, _: Settings) -> dict[str, Tensor]:
    best, threshold = F.peak_f1(scores, targets)
    of_class = F.peak_f1(scores, targets, 'class')[0]
    return {
        'peak_F1': best,
        'peak_F1_threshold': threshold,
        'peak_F1_class': of_class.nanmean(),
    }


#: Further figures: name of the option -> function of scores, targets and settings.
EXTRA: Mapping[str, Callable[[Tensor, Tensor, Settings], dict[str, Tensor]]] = {
    'AUPR': _aupr,
    'PR': _precision_recall,
    'class': _by_class,
    'mkt': _mkt,
    'peak_F1': _peak,
    'adaptive_ECE': lambda s, t, o: {
        'adaptive_ECE': F.expected_calibration_error(s, t, o.num_bins, adaptive=True)
    },
    'Brier': lambda s, t, _: {'Brier': F.brier_score(s, t)},
    'GAP': lambda s, t, o: {f'GAP@{o.gap_k}': F.global_average_precision(s, t, o.gap_k)},
    'hit': lambda s, t, o: {f'Hit@{k}': F.topk_accuracy(s, t, k) for k in (1, *o.topk)},
}


def group_values(
    scores: Tensor,
    targets: Tensor,
    values: Tensor,
    wanted: Sequence[str],
    settings: Settings,
    suffix: str = '',
) -> dict[str, float]:
    """The wanted figures over some labels, by their full names.

    Args:
        scores: ``(N, C)`` of these labels.
        targets: ``(N, C)``.
        values: ``(C,)`` average precision of each, already computed.
        wanted: Names from :data:`STANDARD` and :data:`EXTRA`.
        settings: Their options.
        suffix: End of every name, such as ``_seen``.
    """
    found: dict[str, Tensor] = {}
    positives = (targets == 1).sum(0)
    for average, name in (('macro', 'mAP'), ('weighted', 'mAP_weighted')):
        if name in wanted:
            found[name] = F.reduce_average_precision(
                values, positives, average, settings.min_positives
            )
    if 'mAP_micro' in wanted:
        found['mAP_micro'] = F.micro_average_precision(scores, targets)
    if 'F1' in wanted:
        for name, function, cut in settings.cuts():
            found[f'F1@{name}'] = function(scores, targets, cut).f1
    if 'ECE' in wanted:
        found['ECE'] = F.expected_calibration_error(scores, targets, settings.num_bins)
    for name in wanted:
        if name in EXTRA:
            found |= EXTRA[name](scores, targets, settings)
    return {name + suffix: float(value) for name, value in found.items()}


def resampled_means(values: Tensor, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean average precision of each resample for several groups of labels.

    Args:
        values: ``(R, C)`` from :func:`~ovmlv.evaluation.functional.bootstrap_average_precision`.
        masks: Name -> ``(C,)`` bool.

    Returns:
        Name -> ``(R,)``.
    """
    return {
        name: values[:, mask].nanmean(1) if mask.any() else torch.full((len(values),), torch.nan)
        for name, mask in masks.items()
    }
