"""F1 at a threshold and at k."""

from __future__ import annotations

import torch
from torch import Tensor

from .inputs import check_inputs


def f1_at_threshold(
    scores: Tensor, targets: Tensor, threshold: float = 0.5, average: str = 'micro'
) -> Tensor:
    """F1 of ``scores >= threshold`` over the known (video, label) pairs.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}.
        threshold: Scores from here on are predictions.
        average: ``micro`` pools all pairs; ``macro`` is the mean over the labels that have a
            positive (a label with positives and no hit counts 0).

    Returns:
        Scalar float64; NaN without positives.
    """
    scores, targets = check_inputs(scores, targets)
    predicted = (scores >= threshold) & (targets >= 0)
    return _f1(predicted, targets == 1, average)


def f1_at_k(scores: Tensor, targets: Tensor, k: int = 3, average: str = 'micro') -> Tensor:
    """F1 when each video predicts its ``k`` best labels (the F1@k of MKT and DualCoOp).

    Micro: ``P = hits / predictions``, ``R = hits / positives`` over all videos. A video's unknown
    labels are left out before ranking; a video with fewer than ``k`` known labels predicts those.
    Equal scores at the cut go to the label that comes first.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}.
        k: Predictions a video.
        average: ``micro`` or ``macro``, see :func:`f1_at_threshold`.

    Returns:
        Scalar float64; NaN without positives.
    """
    if k < 1:
        raise ValueError(f'k is {k}; F1@k needs k >= 1')
    scores, targets = check_inputs(scores, targets)
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    predicted = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, True)
    return _f1(predicted & (scores > -torch.inf), targets == 1, average)


def _f1(predicted: Tensor, positive: Tensor, average: str) -> Tensor:
    """F1 of two boolean ``(N, C)`` matrices: ``2 TP / (predicted + positive)``."""
    if average not in ('micro', 'macro'):
        raise ValueError(f"average {average!r} is not one of 'micro', 'macro'")
    hits = (predicted & positive).sum(0).to(torch.float64)
    num_predicted, num_positive = predicted.sum(0), positive.sum(0)
    if average == 'micro':
        hits, num_predicted, num_positive = hits.sum(), num_predicted.sum(), num_positive.sum()
    value = 2 * hits / (num_predicted + num_positive)
    value = value.masked_fill(num_positive == 0, torch.nan)
    return value.nanmean() if average == 'macro' else value
