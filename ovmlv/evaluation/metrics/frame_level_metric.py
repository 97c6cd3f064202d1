"""Per-frame mAP of untrimmed video as an mmengine metric."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError
from ovmlv.evaluation import functional as F
from ovmlv.evaluation.video_identity import video_of
from ovmlv.registry import METRICS

from .base_score_metric import BaseScoreMetric
from .label_groups import split_masks


@METRICS.register_module()
class FrameLevelMetric(BaseScoreMetric):
    """mAP over time points: the official per-frame mAP of MultiTHUMOS, and localisation on
    Charades (25 points a video).

    A sample is a time point (``units='point'`` of the segment data sets): ``pred_score`` and
    ``gt_label`` are ``(C,)``; or a whole video with ``(T, C)``. Points of all videos are one list.
    Points of one video have one ``video_id`` or ``filename``; a sample that has neither is a video
    of its own.

    Keys (prefix ``frame/``): ``mAP``, ``mAP_weighted`` (``WAP`` of ``Charades_v1_localize.m``),
    ``mAP_seen``, ``mAP_unseen`` and ``mAP_harmonic`` where labels are of these two splits,
    ``num_points``, ``num_videos``, ``num_classes`` (classes with a positive), ``num_broken``, and
    with ``bootstrap`` ``mAP_ci_low`` and ``mAP_ci_high``.

    Args:
        empty: Treatment of classes without positives: ``skip`` leaves them out of the mean,
            ``zero`` counts them as 0, as the ``APMeter`` of super-events does.
        harmonic: The two values of the axis ``split`` whose harmonic mean is reported.
        **kwargs: See :class:`BaseScoreMetric`.

    Examples:
        A video of two time points, and one of a single point:

        >>> import torch
        >>> metric = FrameLevelMetric()
        >>> scores = [torch.tensor([[0.9], [0.2]]), torch.tensor([[0.6]])]
        >>> labels = [torch.tensor([[1], [1]]), torch.tensor([[0]])]
        >>> for i in range(2):
        ...     metric.process(None, [dict(pred_score=scores[i], gt_label=labels[i], sample_idx=i)])
        >>> round(metric.evaluate(size=2)['frame/mAP'], 4)  # (1/1 + 2/3) / 2
        0.8333
    """

    default_prefix = 'frame'
    SCORE_DIMS = (1, 2)

    def __init__(
        self,
        empty: str = 'skip',
        harmonic: tuple[str, str] = ('seen', 'unseen'),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if empty not in ('skip', 'zero'):
            raise ConfigError(f"FrameLevelMetric: empty={empty!r} is not one of 'skip', 'zero'")
        self.empty, self.harmonic = empty, tuple(harmonic)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Metrics of results that are complete and unique."""
        results, num_broken = self.usable(results)
        scores = [torch.atleast_2d(r['scores']) for r in results]
        targets = [torch.atleast_2d(r['labels']) for r in results]
        self.class_names(scores[0].shape[1])
        values = F.per_frame_average_precision(scores, targets, self.empty)
        score, target = torch.cat(scores), torch.cat(targets)
        positives = (target == 1).sum(0)
        metrics = dict(
            mAP=float(values.nanmean()),
            mAP_weighted=float(F.reduce_average_precision(values, positives, 'weighted')),
            num_points=len(score),
            num_videos=len(set(map(video_of, results))),
            num_classes=int((positives > 0).sum()),
            num_broken=num_broken,
        )
        halves = {
            f'mAP_{name}': float(values[mask].nanmean())
            for name, mask in split_masks(self.dataset_meta, self.harmonic).items()
        }
        if halves:
            metrics |= dict(halves, mAP_harmonic=F.harmonic_mean(*halves.values()))
        if self.bootstrap:
            resampled = F.bootstrap_average_precision(score, target, self.resamples(results))
            if self.empty == 'zero':
                resampled = resampled.nan_to_num(0.0)
            metrics |= self.interval('mAP', resampled.nanmean(1))
        text = '  '.join(
            f'{k} {v}' if isinstance(v, int) else f'{k} {v:.4f}' for k, v in metrics.items()
        )
        MMLogger.get_current_instance().info(text)
        return metrics
