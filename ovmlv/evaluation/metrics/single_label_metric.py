"""Top-k accuracy as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import functional as F
from ovmlv.evaluation.video_identity import name_of
from ovmlv.registry import METRICS

from .base_score_metric import BaseScoreMetric
from .label_groups import split_masks


@METRICS.register_module()
class SingleLabelMetric(BaseScoreMetric):
    """Accuracy on data sets with one label a video (Kinetics, UCF101, HMDB51, SSv2, ...).

    Keys (prefix ``acc/``, as mmaction2's ``AccMetric``): ``top1``, ``top5``, ``mean1`` (the mean
    over classes of their top-1 accuracy), ``num_samples``, ``num_broken``, and with ``bootstrap``
    ``top1_ci_low``, ``top1_ci_high``, ... An unreadable video counts as wrong unless ``broken``
    says otherwise.

    With seen and unseen labels, there are also ``top1_seen``, ``top1_unseen`` and
    ``top1_harmonic``, as base-to-novel protocols report them: for videos of seen labels, only seen
    labels can be predicted, and for videos of unseen labels, only unseen ones. For ``top1`` itself,
    all labels can be predicted.

    Args:
        topk: Values of k.
        harmonic: The two values of the axis ``split`` whose harmonic mean is reported.
        **kwargs: See :class:`BaseScoreMetric`.

    Examples:
        >>> import torch
        >>> metric = SingleLabelMetric(topk=(1, 2))
        >>> scores = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
        >>> labels = torch.tensor([[1, 0, 0], [0, 1, 0]])
        >>> for i in range(2):
        ...     metric.process(None, [dict(pred_score=scores[i], gt_label=labels[i], sample_idx=i)])
        >>> found = metric.evaluate(size=2)
        >>> found['acc/top1'], found['acc/top2']
        (0.5, 1.0)
    """

    default_prefix = 'acc'

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        harmonic: tuple[str, str] = ('seen', 'unseen'),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for k in topk:
            if isinstance(k, bool) or not isinstance(k, int) or k < 1:
                raise ConfigError(
                    f'SingleLabelMetric: topk={list(topk)} must be whole numbers of at least 1'
                )
        self.topk, self.harmonic = tuple(topk), tuple(harmonic)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Metrics of results that are complete and unique."""
        num_samples = len(results)
        results, num_broken = self.usable(results)
        scores = torch.stack([r['scores'] for r in results])
        targets = torch.stack([r['labels'] for r in results])
        self.class_names(scores.shape[1])
        wrong = (targets == 1).sum(1) != 1
        if wrong.any():
            first = int(wrong.nonzero()[0])
            raise DataError(
                f'SingleLabelMetric: {name_of(results[first])} has '
                f'{int((targets[first] == 1).sum())} labels; top-k accuracy needs one a video, use '
                'MultilabelMetric'
            )
        metrics: dict[str, float] = {}
        for k in self.topk:
            metrics[f'top{k}'] = float(F.topk_accuracy(scores, targets, k))
        metrics['mean1'] = float(F.topk_accuracy(scores, targets, 1, 'class'))
        halves = {
            name: [float(F.topk_accuracy(scores[:, mask], targets[:, mask], k)) for k in self.topk]
            for name, mask in split_masks(self.dataset_meta, self.harmonic).items()
        }
        for i, k in enumerate(self.topk if halves else ()):
            metrics |= {f'top{k}_{name}': values[i] for name, values in halves.items()}
            metrics[f'top{k}_harmonic'] = F.harmonic_mean(*(v[i] for v in halves.values()))
        metrics |= dict(num_samples=num_samples, num_broken=num_broken)
        if self.bootstrap:
            weights = torch.from_numpy(self.resamples(results)).to(torch.float64)
            for k in self.topk:
                hits = (F.top_k_mask(scores, k) & (targets == 1)).any(1).to(torch.float64)
                metrics |= self.interval(f'top{k}', weights @ hits / weights.sum(1))
        MMLogger.get_current_instance().info(
            '  '.join(f'{key} {value:.4g}' for key, value in metrics.items())
        )
        return metrics
