"""Common part of the metrics: collect scores and targets of every sample once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import functional as F
from ovmlv.evaluation.video_identity import name_of, text_of, video_of

from .collection import gather_samples, run_on_main, unique_samples


class BaseScoreMetric(BaseMetric):
    """Collects ``pred_score`` and ``gt_label`` of every sample; a metric derives from it and
    implements :meth:`compute_metrics`.

    A sample is of the video that its ``video_id`` names, or else its ``filename``. One that has
    neither is told by its ``sample_idx``, and is a video of its own.

    In distributed runs a sample that a sampler repeated is counted once, and missing ones are an
    error.

    Args:
        broken: What the prediction for an unreadable video counts as: ``none`` (no prediction: it
            ranks last and hits nothing), ``keep`` (the model's scores for black frames) or ``drop``
            (it is left out, so the numbers are of fewer videos). ``num_broken`` and the log report
            such videos in any case.
        allow_incomplete: Whether to accept an evaluation over a part of the data set.
        bootstrap: Number of resamples for confidence intervals; 0 for none. Videos are resampled
            together with all their samples, since clips of one video are not independent. Samples
            without a name are resampled one by one.
        confidence: Confidence of these intervals.
        seed: Seed of the resamples.
        collect_device: See :class:`mmengine.evaluator.BaseMetric`.
        prefix: See :class:`mmengine.evaluator.BaseMetric`.
        collect_dir: See :class:`mmengine.evaluator.BaseMetric`.
    """

    #: Dimensions that ``pred_score`` may have.
    SCORE_DIMS: tuple[int, ...] = (1,)

    def __init__(
        self,
        broken: str = 'none',
        allow_incomplete: bool = False,
        bootstrap: int = 0,
        confidence: float = 0.95,
        seed: int = 0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if broken not in ('none', 'keep', 'drop'):
            raise ConfigError(
                f"{self.name}: broken={broken!r} is not one of 'none', 'keep', 'drop'"
            )
        if bootstrap < 0 or not 0 < confidence < 1:
            raise ConfigError(
                f'{self.name}: bootstrap={bootstrap} must be 0 or more and '
                f'confidence={confidence} between 0 and 1'
            )
        self.bootstrap, self.confidence, self.seed = bootstrap, confidence, seed
        self.broken = broken
        self.allow_incomplete = allow_incomplete

    @property
    def name(self) -> str:
        """Name of the class, for messages."""
        return type(self).__name__

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the part of a batch of predictions that the metrics need."""
        for sample in data_samples:
            for field in ('pred_score', 'gt_label', 'sample_idx'):
                if field not in sample:
                    raise DataError(
                        f'{self.name}: a data sample has no {field!r}; let the pipeline end '
                        'with PackMultilabelInputs and the model predict pred_score'
                    )
            scores, labels = sample['pred_score'].detach(), sample['gt_label']
            video_id, filename = (text_of(sample.get(key)) for key in ('video_id', 'filename'))
            result: dict[str, Any] = dict(
                # The index alone is not unique in a concatenation of data sets.
                key=(int(sample['sample_idx']), filename, video_id),
                filename=filename or video_id,
                video_id=video_id,
                broken=bool(sample.get('broken', False)),
                unlabeled=bool(sample.get('official_unlabeled', False)),
            )
            if scores.shape != labels.shape or scores.ndim not in self.SCORE_DIMS:
                raise DataError(
                    f'{self.name}: {_size(scores)} scores but {_size(labels)} labels for '
                    f'{name_of(result)}; the model must use the vocabulary of this data set'
                )
            if not bool(scores.isfinite().all()):
                raise DataError(
                    f'{self.name}: the scores of {name_of(result)} hold NaN or infinity; check '
                    'the model'
                )
            result['scores'] = scores.to('cpu', torch.float32)
            result['labels'] = labels.to('cpu', torch.int8)
            self.results.append(result)

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

    def usable(self, results: list[dict]) -> tuple[list[dict], int]:
        """Apply ``broken``, and log the unreadable videos.

        Returns:
            The results that count, and the number of unreadable videos.
        """
        names = [name_of(r) for r in results if r['broken']]
        if names:
            shown = ', '.join(names[:10]) + (', ...' if len(names) > 10 else '')
            MMLogger.get_current_instance().warning(
                f'{len(names)} of {len(results)} videos could not be read '
                f'(broken={self.broken!r}): {shown}'
            )
        if len(names) == len(results):
            raise DataError(
                f'{self.name}: none of the {len(results)} videos could be read; check '
                'data_root and data_prefix'
            )
        if self.broken == 'drop':
            results = [r for r in results if not r['broken']]
        elif self.broken == 'none' and names:
            nothing = -torch.inf
            results = [
                dict(r, scores=torch.full_like(r['scores'], nothing)) if r['broken'] else r
                for r in results
            ]
        return results, len(names)

    def resamples(self, results: Sequence[dict]) -> np.ndarray:
        """How often each row of scores is drawn, ``(R, N)``: see ``bootstrap``."""
        numbers: dict[str | int, int] = {}
        rows = []
        for result in results:
            number = numbers.setdefault(video_of(result), len(numbers))
            rows += [number] * (len(result['scores']) if result['scores'].ndim > 1 else 1)
        return F.resample_counts(len(numbers), self.bootstrap, self.seed)[:, rows]

    def interval(self, name: str, resampled: Tensor) -> dict[str, float]:
        """``<name>_ci_low`` and ``<name>_ci_high`` of a metric's resamples ``(R,)``."""
        low, high = F.percentile_interval(resampled, self.confidence)
        return {f'{name}_ci_low': low, f'{name}_ci_high': high}

    def class_names(self, num_classes: int) -> list[str]:
        """Classes of the data set, or numbers if it does not name them."""
        classes = (self.dataset_meta or {}).get('classes') or range(num_classes)
        if len(classes) != num_classes:
            raise DataError(
                f'{self.name}: scores for {num_classes} labels but the data set has '
                f'{len(classes)} classes'
            )
        return [str(name) for name in classes]


def _size(values: Tensor) -> str:
    return ' x '.join(map(str, values.shape)) or 'scalar'
