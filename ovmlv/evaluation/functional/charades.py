"""Charades' own rule for video-level mAP."""

from __future__ import annotations

import torch
from torch import Tensor

from .average_precision import average_precision
from .inputs import check_inputs


def charades_average_precision(
    scores: Tensor, targets: Tensor, unlabeled: Tensor | None = None
) -> Tensor:
    """Average precision of each class as the official ``Charades_v1_classify.m`` counts it.

    The official script never looks up the prediction of a video whose row has no action (49 of the
    1,863 test videos): its scores stay ``-inf``, so it can never be a false positive. Counting
    such videos as ordinary negatives gives a lower mAP.

    Args:
        scores: ``(N, C)`` scores; a video without prediction has ``-inf``.
        targets: ``(N, C)`` of {1, 0, -1}.
        unlabeled: ``(N,)`` bool, rows without any action in the official file. By default, these
            are the rows without a positive in ``targets``, which is right only if all 157 classes
            are columns.

    Returns:
        ``(C,)`` float64; NaN for a class without positives. Their mean is the official mAP (the
        official test set has no such class).

    Examples:
        The second video has no action, so that its high scores do no harm:

        >>> import torch
        >>> scores = torch.tensor([[0.7, 0.1], [0.9, 0.9], [0.6, 0.8]])
        >>> targets = torch.tensor([[1, 0], [0, 0], [0, 1]])
        >>> average_precision(scores, targets).tolist()
        [0.5, 0.5]
        >>> charades_average_precision(scores, targets).tolist()
        [1.0, 1.0]
    """
    scores, targets = check_inputs(scores, targets)
    if unlabeled is None:
        unlabeled = (targets == 1).sum(1) == 0
    unlabeled = torch.as_tensor(unlabeled, dtype=torch.bool, device=scores.device)
    return average_precision(scores.masked_fill(unlabeled[:, None], -torch.inf), targets)
