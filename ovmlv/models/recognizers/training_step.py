"""What one step of training works on: labels with their targets, and what is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from ovmlv.models.contracts import Scorer

from .batch import share_of_positives, stack_targets
from .label_sampler import sample_labels
from .vocabulary import Vocabulary


class TrainingLabels(NamedTuple):
    """The whole vocabulary, or a random subset of it.

    Attributes:
        names: C label strings.
        targets: ``(B * M, C)`` of {1, 0, -1 = unknown}; views of a video share its targets.
        columns: ``(C,)``, where the labels of a subset stand in the vocabulary; None for all of it.
        column_weight: ``(C,)``, how many labels of the vocabulary each one stands for; None for all
            of it.
    """

    names: list[str]
    targets: Tensor
    columns: Tensor | None = None
    column_weight: Tensor | None = None

    @classmethod
    def of(
        cls,
        data_samples: Sequence[ActionDataSample],
        vocabulary: Vocabulary,
        count: int | None,
        views: int,
        device: torch.device,
        alike: bool = False,
    ) -> TrainingLabels:
        """Take the targets of a batch, and choose labels where there are more than ``count``.

        Args:
            data_samples: B samples with ``gt_label`` of the vocabulary.
            vocabulary: The training labels.
            count: See :func:`.sample_labels`; None takes all labels.
            views: M.
            device: Where the targets go.
            alike: See :func:`.sample_labels`.
        """
        targets = stack_targets(data_samples, vocabulary).to(device)
        names, columns, weight = list(vocabulary.labels), None, None
        if count is not None and count < len(names):
            columns, weight = sample_labels(targets, count, alike)
            names = [names[i] for i in columns.tolist()]
            targets = targets[:, columns]
        return cls(names, targets.repeat_interleave(views, 0), columns, weight)


class Encoded(NamedTuple):
    """What a training step encodes: N videos or views, C labels.

    Attributes:
        video: ``(N, E)``.
        text: ``(C, E)``.
        video_ref: ``(N, E)`` of the frozen CLIP, where the loss compares with it.
        mixed: ``(N, E)`` by interpolated weights, where these train.
        noisy: ``(K, E)`` of disturbed labels, where there is noise.
        clean: ``(K, E)`` of the same labels undisturbed, without gradient.
    """

    video: Tensor
    text: Tensor
    video_ref: Tensor | None
    mixed: Tensor | None
    noisy: Tensor | None
    clean: Tensor | None


def calibrate(
    scorer: Scorer, similarities: Tensor, labels: TrainingLabels, prior: float | None
) -> None:
    """Let a scorer find its first bias; without a prior the batch's own share will do."""
    if not scorer.wants_calibration:
        return
    weight = (labels.targets >= 0).float()
    if labels.column_weight is not None:
        weight = weight * labels.column_weight
    if prior is None:
        prior = share_of_positives(labels.targets, weight)
    scorer.calibrate(similarities, weight, prior)
