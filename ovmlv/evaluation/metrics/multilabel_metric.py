"""Multi-label metrics as an mmengine metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import functional as F
from ovmlv.registry import METRICS

from .collection import gather_samples, run_on_main, unique_samples
from .label_groups import LabelGroup, label_groups, ordered_values
from .report import group_table, text_table, write_per_class


@METRICS.register_module()
class MultilabelMetric(BaseMetric):
    """mAP, F1 and calibration of multi-label scores, for all labels and for groups of them.

    Keys (prefix ``multilabel/``): ``mAP`` (macro, all labels jointly), ``mAP_micro``,
    ``mAP_weighted``; ``mAP_<value>`` for each attribute value of the data set's classes
    (``mAP_seen``, ``mAP_action``) and ``mAP_seen_action`` for crossings with the split;
    ``mAP_harmonic`` and ``mAP_harmonic_<value>`` of seen and unseen; ``F1@0.5`` (micro), ``F1@3``
    (micro, 3 best labels a video), ``ECE``; ``num_samples``, ``num_broken``, ``num_classes``
    (labels that enter ``mAP``); and ``mAP_charades`` on request. The mathematics is in
    :mod:`ovmlv.evaluation.functional`.

    Each data sample needs ``pred_score`` and ``gt_label``, both ``(C,)``, and ``sample_idx``. In
    distributed runs a sample that a sampler repeated is counted once, and missing ones are an
    error.

    Args:
        thresholds: Thresholds of ``F1@t``.
        topk: Values of ``F1@k``.
        min_positives: Labels with fewer positives are left out of the means over labels, and named
            in the log. A label without positives never counts.
        harmonic: The two values of ``split`` whose harmonic mean is reported.
        group_metrics: Metrics that are computed for each group as well, of ``mAP``, ``mAP_micro``,
            ``mAP_weighted``, ``F1``, ``ECE``. ``F1@3_unseen`` ranks unseen labels alone (the
            zero-shot protocol of MKT and DualCoOp); ``F1@3`` ranks all (generalised).
        axes: Attribute axes to report, of those the data set has; all by default.
        num_bins: Bins of the calibration error.
        broken: What the prediction for an unreadable video counts as: ``none`` (no prediction:
            ranks last, hits nothing), ``keep`` (the model's scores for black frames) or ``drop``
            (left out; the numbers then are of fewer videos). ``num_broken`` and the log tell in
            any case.
        official_charades: Add ``mAP_charades`` by Charades' own rule
            (:func:`~ovmlv.evaluation.functional.charades_average_precision`); the samples carry
            ``official_unlabeled``.
        per_class: Log a table of all classes.
        per_class_file: Write that table as CSV; relative to the folder of the run's log file.
        allow_incomplete: Accept an evaluation over a part of the data set.
        collect_device: See :class:`mmengine.evaluator.BaseMetric`.
        prefix: See :class:`mmengine.evaluator.BaseMetric`.
        collect_dir: See :class:`mmengine.evaluator.BaseMetric`.
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
        broken: str = 'none',
        official_charades: bool = False,
        per_class: bool = False,
        per_class_file: str | None = None,
        allow_incomplete: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if broken not in ('none', 'keep', 'drop'):
            raise ConfigError(
                f"MultilabelMetric: broken={broken!r} is not one of 'none', 'keep', 'drop'"
            )
        known = {'mAP', 'mAP_micro', 'mAP_weighted', 'F1', 'ECE'}
        if set(group_metrics) - known:
            raise ConfigError(
                f'MultilabelMetric: group_metrics {sorted(set(group_metrics) - known)} are not '
                f'among {sorted(known)}'
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
        self.thresholds, self.topk = tuple(thresholds), tuple(topk)
        self.min_positives = min_positives
        self.harmonic = tuple(harmonic)
        self.group_metrics = tuple(group_metrics)
        self.axes = axes
        self.num_bins = num_bins
        self.broken = broken
        self.official_charades = official_charades
        self.per_class, self.per_class_file = per_class, per_class_file
        self.allow_incomplete = allow_incomplete

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the metrics need of a batch of predictions."""
        for sample in data_samples:
            for field in ('pred_score', 'gt_label', 'sample_idx'):
                if field not in sample:
                    raise DataError(
                        f'MultilabelMetric: a data sample has no {field!r}; let the pipeline end '
                        'with PackMultilabelInputs and the model predict pred_score'
                    )
            scores, labels = sample['pred_score'].detach(), sample['gt_label']
            if scores.shape != labels.shape:
                raise DataError(
                    f'MultilabelMetric: {scores.numel()} scores but {labels.numel()} labels for '
                    f'{sample.get("filename")}; the model must use the vocabulary of this data '
                    'set'
                )
            if not bool(scores.isfinite().all()):
                raise DataError(
                    f'MultilabelMetric: the scores of {sample.get("filename")} hold NaN or '
                    'infinity; check the model'
                )
            video_id, filename = str(sample.get('video_id', '')), str(sample.get('filename', ''))
            self.results.append(
                dict(
                    # The index alone is not unique in a concatenation of data sets.
                    key=(int(sample['sample_idx']), filename, video_id),
                    scores=scores.to('cpu', torch.float32),
                    labels=labels.to('cpu', torch.int8),
                    filename=filename or video_id,
                    broken=bool(sample.get('broken', False)),
                    unlabeled=bool(sample.get('official_unlabeled', False)),
                )
            )

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect from all processes, compute on the main one, and return the metrics everywhere.

        Args:
            size: Length of the data set.
        """
        collected = gather_samples(self.results, self.collect_device, self.collect_dir)
        self.results.clear()

        def compute() -> dict[str, float]:
            metrics = self.compute_metrics(
                unique_samples(collected or [], size, self.allow_incomplete)
            )
            return {f'{self.prefix}/{key}': value for key, value in metrics.items()}

        return run_on_main(compute)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Metrics of results that are complete and unique; logs the tables."""
        num_broken = self._report_broken(results)
        num_samples = len(results)
        if self.broken == 'drop':
            results = [r for r in results if not r['broken']]
        if not results or num_broken == num_samples:
            raise DataError(
                f'MultilabelMetric: none of the {num_samples} videos could be read; check '
                'data_root and data_prefix'
            )
        scores = torch.stack([r['scores'] for r in results])
        targets = torch.stack([r['labels'] for r in results])
        if self.broken == 'none':
            broken = torch.tensor([r['broken'] for r in results])
            scores = scores.masked_fill(broken[:, None], -torch.inf)

        meta = self.dataset_meta or {}
        classes = list(meta.get('classes') or map(str, range(scores.shape[1])))
        if len(classes) != scores.shape[1]:
            raise DataError(
                f'MultilabelMetric: scores for {scores.shape[1]} labels but the data set has '
                f'{len(classes)} classes'
            )
        attributes = {
            axis: values
            for axis, values in (meta.get('class_attributes') or {}).items()
            if self.axes is None or axis in self.axes
        }
        groups = label_groups(attributes, len(classes))

        positives = (targets == 1).sum(0)
        values = F.average_precision(scores, targets)
        metrics = self._group_values(
            groups[0],
            scores,
            targets,
            values,
            positives,
            ('mAP', 'mAP_micro', 'mAP_weighted', 'F1', 'ECE'),
        )
        for group in groups[1:]:
            metrics.update(
                self._group_values(group, scores, targets, values, positives, self.group_metrics)
            )
        self._add_harmonic(metrics, groups)
        if self.official_charades:
            unlabeled = torch.tensor([r['unlabeled'] for r in results])
            official = F.charades_average_precision(scores, targets, unlabeled)
            metrics['mAP_charades'] = float(
                F.reduce_average_precision(official, positives, 'macro', self.min_positives)
            )
        metrics['num_samples'] = num_samples
        metrics['num_broken'] = num_broken
        metrics['num_classes'] = int(F.countable_labels(positives, self.min_positives).sum())
        self._log(metrics, classes, attributes, targets, values, positives)
        return metrics

    def _group_values(
        self,
        group: LabelGroup,
        scores: Tensor,
        targets: Tensor,
        values: Tensor,
        positives: Tensor,
        wanted: Sequence[str],
    ) -> dict[str, float]:
        """The wanted metrics over the labels of one group, by their full names."""
        mask, suffix = group.mask, f'_{group.name}' if group.name else ''
        scores, targets = scores[:, mask], targets[:, mask]
        found: dict[str, Tensor] = {}
        for average, name in (('macro', 'mAP'), ('weighted', 'mAP_weighted')):
            if name in wanted:
                found[name] = F.reduce_average_precision(
                    values[mask], positives[mask], average, self.min_positives
                )
        if 'mAP_micro' in wanted:
            found['mAP_micro'] = F.micro_average_precision(scores, targets)
        if 'F1' in wanted:
            for threshold in self.thresholds:
                found[f'F1@{threshold:g}'] = F.f1_at_threshold(scores, targets, threshold)
            for k in self.topk:
                found[f'F1@{k}'] = F.f1_at_k(scores, targets, k)
        if 'ECE' in wanted:
            found['ECE'] = F.expected_calibration_error(scores, targets, self.num_bins)
        return {name + suffix: float(value) for name, value in found.items()}

    def _add_harmonic(self, metrics: dict[str, float], groups: Sequence[LabelGroup]) -> None:
        """``mAP_harmonic`` and ``mAP_harmonic_<value>`` where both halves have labels."""
        first, second = self.harmonic
        for other in [None, *dict.fromkeys(g.other for g in groups if g.other)]:
            suffix = f'_{other}' if other else ''
            halves = [metrics.get(f'mAP_{split}{suffix}') for split in (first, second)]
            if None not in halves:
                metrics[f'mAP_harmonic{suffix}'] = F.harmonic_mean(*halves)

    def _report_broken(self, results: Sequence[dict]) -> int:
        """Log the unreadable videos; returns how many there are."""
        names = [r['filename'] for r in results if r['broken']]
        if names:
            shown = ', '.join(names[:10]) + (', ...' if len(names) > 10 else '')
            MMLogger.get_current_instance().warning(
                f'{len(names)} of {len(results)} videos could not be read '
                f'(broken={self.broken!r}): {shown}'
            )
        return len(names)

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
            if key.startswith(('F1@', 'ECE'))
            or key in ('mAP_micro', 'mAP_weighted', 'mAP_charades')
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
