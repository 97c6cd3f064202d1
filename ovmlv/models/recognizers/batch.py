"""Shapes of a batch: views of videos, targets, unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample
from mmengine.dist import all_reduce
from torch import Tensor

from ovmlv.errors import ConfigError, VocabularyError

from .vocabulary import Vocabulary


def fold_views(inputs: Tensor) -> tuple[Tensor, int]:
    """Videos ``(B * M, C, T, H, W)`` and M."""
    if inputs.ndim == 6:
        return inputs.flatten(0, 1), inputs.shape[1]
    if inputs.ndim == 5:
        return inputs, 1
    raise ConfigError(
        f'videos have shape {tuple(inputs.shape)}, not (videos, views, channels, frames, height, '
        "width); use mmaction.FormatShape(input_format='NCTHW')"
    )


def unit(x: Tensor) -> Tensor:
    """Vectors ``(..., E)`` of length one, in float32."""
    return F.normalize(x.float(), dim=-1)


def stack_targets(
    data_samples: Sequence[ActionDataSample] | None, vocabulary: Vocabulary
) -> Tensor:
    """Targets ``(B, C)`` of {1, 0, -1}."""
    for sample in data_samples or [ActionDataSample()]:
        if 'gt_label' not in sample:
            raise VocabularyError(
                f'{sample.get("filename", "a sample")} has no gt_label; training needs '
                'labelled samples packed by PackMultilabelInputs'
            )
        if sample.gt_label.shape != (len(vocabulary.labels),):
            raise VocabularyError(
                f'{sample.get("filename", "a sample")} has gt_label of '
                f'{sample.gt_label.numel()} labels but the vocabulary has '
                f'{len(vocabulary.labels)}; both must come from the same data set'
            )
    return torch.stack([sample.gt_label for sample in data_samples or ()])


def share_of_positives(targets: Tensor, weight: Tensor) -> float:
    """Share of positives among the weighted targets ``(B, C)`` of all processes."""
    counts = torch.stack([(weight * (targets > 0)).sum(), weight.sum()])
    all_reduce(counts)
    return (counts[0] / counts[1].clamp(min=1)).item()


def with_scores(
    scores: Tensor, data_samples: Sequence[ActionDataSample] | None
) -> list[ActionDataSample]:
    """Samples on the CPU with ``pred_score (C,)`` of scores ``(B, C)``; what they hold is kept."""
    if data_samples is None:
        data_samples = [ActionDataSample() for _ in scores]
    samples = []
    for sample, score in zip(data_samples, scores.cpu(), strict=True):
        sample = sample.to('cpu')
        sample.set_field(len(score), 'num_classes', field_type='metainfo')
        samples.append(sample.set_pred_score(score))
    return samples
