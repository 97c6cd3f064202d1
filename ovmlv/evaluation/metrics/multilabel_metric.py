"""Multi-label metrics as an mmengine metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.evaluation import functional as F
from ovmlv.registry import METRICS

from .base_score_metric import BaseScoreMetric
from .group_values import EXTRA, STANDARD, Settings, group_values, resampled_means
from .label_groups import LabelGroup, label_groups, ordered_values
from .report import group_table, text_table, write_per_class


@METRICS.register_module()
class MultilabelMetric(BaseScoreMetric):
    """mAP, F1 and calibration of multi-label scores, for all labels and for groups of them.

    Keys (prefix ``multilabel/``): ``mAP`` (macro, all labels jointly), ``mAP_micro``,
    ``mAP_weighted``; ``mAP_<value>`` for each attribute value of the data set's classes
    (``mAP_seen``, ``mAP_action``) and ``mAP_seen_action`` for crossings with the split;
    ``mAP_harmonic`` and ``mAP_harmonic_<value>`` of seen and unseen; ``mAP_mean_category``, the
    mean of the categories' mAP (HVU); ``F1@0.5`` (micro), ``F1@3`` (micro, 3 best labels a video),
    ``ECE``; ``num_samples``, ``num_broken``, ``num_classes`` (labels that enter ``mAP``); and what
    ``extra`` and ``official_charades`` add, and with ``bootstrap`` an interval of every mAP
    (``mAP_ci_low``, ``mAP_ci_high``, ``mAP_seen_ci_low``, ...). The mathematics is in
    :mod:`ovmlv.evaluation.functional`; docs/metrics.md has every definition.

    Each data sample needs ``pred_score`` and ``gt_label``, both ``(C,)``, and ``sample_idx``. Clips
    of one video, which ``bootstrap`` draws together, have one ``video_id`` or ``filename``; a
    sample that has neither is a video of its own.

    Args:
        thresholds: Thresholds t of ``F1@t``.
        topk: Values k of ``F1@k``.
        min_positives: Labels with fewer positives are left out of the means over labels, and named
            in the log. A label without positives never counts.
        harmonic: The two values of ``split`` whose harmonic mean is reported.
        group_metrics: Metrics that are also computed for each group, out of ``mAP``, ``mAP_micro``,
            ``mAP_weighted``, ``F1``, ``ECE`` and those of ``extra``. ``F1@3_unseen`` ranks unseen
            labels alone (the zero-shot protocol of MKT and DualCoOp); ``F1@3`` ranks all labels
            (the generalised protocol).
        axes: Attribute axes to report, out of those that the data set has; by default, all.
        num_bins: Bins of the calibration error.
        extra: Further metrics over all labels: ``AUPR`` (macro, micro, weighted), ``PR`` (``P@3``,
            ``R@3``, ``P@0.5``, ...), ``class`` (``CP@3``, ``CR@3``, ``CF1@3`` as DualCoOp's,
            ``CF1_of_means@3`` as most others'), ``mkt`` (``F1_mkt@3``, ...), ``peak_F1`` (and its
            threshold), ``adaptive_ECE``, ``Brier``, ``GAP`` (``GAP@20``), ``hit`` (``Hit@1``).
        gap_k: Number of labels for each video in ``GAP``.
        mean_axes: Axes for which ``mAP_mean_<axis>`` is reported if the data set has them.
        official_charades: Whether to add ``mAP_charades`` by Charades' own rule
            (:func:`~ovmlv.evaluation.functional.charades_average_precision`); the samples must have
            ``official_unlabeled``.
        per_class: Whether to log a table of all classes.
        per_class_file: CSV file for that table; its path is relative to the folder of the run's log
            file.
        **kwargs: See :class:`BaseScoreMetric`: ``broken``, ``bootstrap``, ``prefix``, ...

    Examples:
        >>> import torch
        >>> metric, splits = MultilabelMetric(), dict(split=['seen', 'unseen'])
        >>> metric.dataset_meta = dict(classes=['a dog', 'running'], class_attributes=splits)
        >>> scores = torch.tensor([[0.9, 0.9], [0.8, 0.8], [0.1, 0.1]])
        >>> labels = torch.tensor([[1, 0], [1, 1], [0, 0]])
        >>> for i in range(3):
        ...     metric.process(None, [dict(pred_score=scores[i], gt_label=labels[i], sample_idx=i)])
        >>> found = metric.evaluate(size=3)
        >>> [round(found[f'multilabel/mAP_{name}'], 4) for name in ('seen', 'unseen', 'harmonic')]
        [1.0, 0.5, 0.6667]
    """

    default_prefix = 'multilabel'

    def __init__(
        self,
        thresholds: Sequence[float] = (0.5,),
        topk: Sequence[int] = (3,),
        min_positives: int = 1,
        harmonic: tuple[str, str] = ('seen', 'unseen'),
        group_metrics: Sequence[str] = ('mAP',),
        axes: Sequence[str] | None = None,
        num_bins: int = 15,
        extra: Sequence[str] = (),
        gap_k: int = 20,
        mean_axes: Sequence[str] = ('category',),
        official_charades: bool = False,
        per_class: bool = False,
        per_class_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for option, names, known in (
            ('group_metrics', group_metrics, {*STANDARD, *EXTRA}),
            ('extra', extra, set(EXTRA)),
        ):
            if set(names) - known:
                raise ConfigError(
                    f'MultilabelMetric: {option} {sorted(set(names) - known)} are not among '
                    f'{sorted(known)}'
                )
        if len(harmonic) != 2:
            raise ConfigError(f'MultilabelMetric: harmonic={harmonic!r} must name two values')
        for threshold in thresholds:
            if not 0 < threshold < 1:
                raise ConfigError(
                    f'MultilabelMetric: thresholds={list(thresholds)} must be between 0 and 1, as '
                    'probabilities are'
                )
        for k in topk:
            if isinstance(k, bool) or not isinstance(k, int) or k < 1:
                raise ConfigError(
                    f'MultilabelMetric: topk={list(topk)} must be whole numbers of at least 1'
                )
        self.settings = Settings(
            tuple(thresholds), tuple(topk), min_positives, num_bins=num_bins, gap_k=gap_k
        )
        self.min_positives = min_positives
        self.harmonic = tuple(harmonic)
        self.group_metrics, self.extra = tuple(group_metrics), tuple(extra)
        self.axes, self.mean_axes = axes, tuple(mean_axes)
        self.official_charades = official_charades
        self.per_class, self.per_class_file = per_class, per_class_file

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the metrics of results that are complete and unique, and log the tables."""
        num_samples = len(results)
        results, num_broken = self.usable(results)
        scores = torch.stack([r['scores'] for r in results])
        targets = torch.stack([r['labels'] for r in results])
        classes = self.class_names(scores.shape[1])
        meta = self.dataset_meta or {}
        attributes = {
            axis: values
            for axis, values in (meta.get('class_attributes') or {}).items()
            if self.axes is None or axis in self.axes
        }
        groups = label_groups(attributes, len(classes))

        positives = (targets == 1).sum(0)
        values = F.average_precision(scores, targets)
        metrics: dict[str, float] = {}
        for group in groups:
            mask, suffix = group.mask, f'_{group.name}' if group.name else ''
            wanted = self.group_metrics if group.name else (*STANDARD, *self.extra)
            metrics |= group_values(
                scores[:, mask], targets[:, mask], values[mask], wanted, self.settings, suffix
            )
        for axis in self.mean_axes:
            of_axis = [metrics.get(f'mAP_{v}') for v in ordered_values(attributes.get(axis, []))]
            known = [value for value in of_axis if value is not None]
            if known and len(known) == len(of_axis):
                metrics[f'mAP_mean_{axis}'] = sum(known) / len(known)
        if 'mAP' in self.group_metrics:
            for name, halves in self._halves(groups).items():
                metrics[name] = F.harmonic_mean(*(metrics[half] for half in halves))
        if self.official_charades:
            unlabeled = torch.tensor([r['unlabeled'] for r in results])
            official = F.charades_average_precision(scores, targets, unlabeled)
            metrics['mAP_charades'] = float(
                F.reduce_average_precision(official, positives, 'macro', self.min_positives)
            )
        if self.bootstrap:
            metrics |= self._intervals(scores, targets, positives, groups, self.resamples(results))
        metrics['num_samples'] = num_samples
        metrics['num_broken'] = num_broken
        metrics['num_classes'] = int(F.countable_labels(positives, self.min_positives).sum())
        self._log(metrics, classes, attributes, targets, values, positives)
        return metrics

    def _intervals(
        self,
        scores: Tensor,
        targets: Tensor,
        positives: Tensor,
        groups: Sequence[LabelGroup],
        counts: np.ndarray,
    ) -> dict[str, float]:
        """Confidence intervals of every mAP and of the harmonic means, by resampling videos."""
        values = F.bootstrap_average_precision(scores, targets, counts)
        enough = F.countable_labels(positives, self.min_positives)
        masks = {'_'.join(['mAP', g.name]).rstrip('_'): g.mask & enough for g in groups}
        means = resampled_means(values, masks)
        for name, halves in self._halves(groups).items():
            first, second = (means[half] for half in halves)
            means[name] = 2 * first * second / (first + second)
        found: dict[str, float] = {}
        for name, resamples in means.items():
            found |= self.interval(name, resamples)
        return found

    def _halves(self, groups: Sequence[LabelGroup]) -> dict[str, tuple[str, ...]]:
        """Name of each harmonic mean -> the names of the values that it is computed from."""
        names = {g.name for g in groups}
        found = {}
        for other in [None, *dict.fromkeys(g.other for g in groups if g.other)]:
            suffix = f'_{other}' if other else ''
            halves = [f'{split}{suffix}' for split in self.harmonic]
            if names.issuperset(halves):
                found[f'mAP_harmonic{suffix}'] = tuple(f'mAP_{half}' for half in halves)
        return found

    def _log(
        self,
        metrics: dict[str, float],
        classes: Sequence[str],
        attributes: dict[str, Sequence[str]],
        targets: Tensor,
        values: Tensor,
        positives: Tensor,
    ) -> None:
        """Tables of groups and classes, and the labels that were left out of the means."""
        logger = MMLogger.get_current_instance()
        skipped = (~F.countable_labels(positives, self.min_positives)).nonzero().flatten().tolist()
        if skipped:
            names = ', '.join(f'{classes[i]} ({int(positives[i])})' for i in skipped[:10])
            logger.info(
                f'{len(skipped)} of {len(classes)} labels have fewer than '
                f'{max(self.min_positives, 1)} positives and are left out of the means: '
                f'{names}{", ..." if len(skipped) > 10 else ""}'
            )
        others = [
            value
            for axis, column in attributes.items()
            if axis != 'split'
            for value in ordered_values(column)
        ]
        table = group_table(metrics, ordered_values(attributes.get('split', [])), others)
        overall = '  '.join(
            f'{key} {metrics[key]:.4f}'
            for key in metrics
            if not key.startswith(('mAP', 'num_'))
            or key in ('mAP_micro', 'mAP_weighted', 'mAP_charades')
            or key.startswith(('mAP_mean_', 'mAP_ci_'))
        )
        logger.info(
            f'{metrics["num_samples"]} videos, {metrics["num_classes"]} of {len(classes)} '
            f'labels\n{table}\n{overall}'
        )
        if not (self.per_class or self.per_class_file):
            return
        rows = [
            dict(
                label=name,
                **{axis: column[i] for axis, column in attributes.items()},
                positives=int(positives[i]),
                known=int((targets[:, i] >= 0).sum()),
                AP=float(values[i]),
            )
            for i, name in enumerate(classes)
        ]
        if self.per_class:
            logger.info('\n' + text_table(list(rows[0]), [list(row.values()) for row in rows]))
        if self.per_class_file:
            path = write_per_class(
                self.per_class_file,
                [
                    {k: '' if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
                    for row in rows
                ],
            )
            logger.info(f'per-class figures: {path}')
