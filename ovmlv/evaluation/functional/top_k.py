"""The best labels of each video: top-k accuracy and YouTube-8M's GAP."""

from __future__ import annotations

import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DataError

from .inputs import check_inputs
from .ranks import positive_ranks


def top_k_mask(scores: Tensor, k: int) -> Tensor:
    """Which labels are among the ``k`` best of their video.

    Args:
        scores: ``(N, C)``; ``-inf`` is never among them. Equal scores at the cut go to the label
            that comes first.
        k: Number of labels, at least 1; if it is more than C, all labels are among them.

    Returns:
        ``(N, C)`` bool.

    Examples:
        >>> import torch
        >>> top_k_mask(torch.tensor([[0.9, 0.2, 0.5], [0.1, 0.1, 0.1]]), k=2).tolist()
        [[True, False, True], [True, True, False]]
    """
    if isinstance(k, bool) or int(k) != k or k < 1:
        raise ConfigError(f'k is {k}; the best k labels need a whole k >= 1')
    if scores.shape[1] == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    last = scores.topk(min(int(k), scores.shape[1]), dim=1).values[:, -1:]
    above, equal = scores > last, scores == last
    room = int(k) - above.sum(1, keepdim=True)
    return (above | (equal & (equal.cumsum(1) <= room))) & (scores > -torch.inf)


def topk_accuracy(scores: Tensor, targets: Tensor, k: int = 1, average: str = 'overall') -> Tensor:
    """Share of videos whose label is among the ``k`` best.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction. Equal scores go to the label that comes
            first.
        targets: ``(N,)`` class numbers, or ``(N, C)`` of {1, 0, -1}: with several positives, one of
            them must be among the best (the Hit@k of YouTube-8M); videos without any do not count.
        k: Number of best labels (1 for top-1, 5 for top-5, ...).
        average: Kind of mean: ``overall``, or ``class`` for the mean over classes of the share of
            their videos (mean class accuracy).

    Returns:
        Scalar float64; NaN where no video counts.

    Examples:
        >>> import torch
        >>> scores, labels = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), torch.tensor([0, 1])
        >>> topk_accuracy(scores, labels).item()
        0.5
        >>> topk_accuracy(scores, labels, k=2).item()
        1.0
    """
    targets = torch.as_tensor(targets)
    if targets.ndim == 1:
        targets = one_hot(targets, torch.as_tensor(scores).shape[-1])
    scores, targets = check_inputs(scores, targets)
    hits = top_k_mask(scores, k) & (targets == 1)
    if average == 'overall':
        counts = (targets == 1).any(1)
        return hits.any(1)[counts].to(torch.float64).mean()
    if average != 'class':
        raise ConfigError(f"average {average!r} is not one of 'overall', 'class'")
    share = hits.sum(0).to(torch.float64) / (targets == 1).sum(0)
    return share.nanmean()


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Class numbers ``(N,)`` as ``(N, C)`` int8 targets.

    Examples:
        >>> import torch
        >>> one_hot(torch.tensor([2, 0]), num_classes=3).tolist()
        [[0, 0, 1], [1, 0, 0]]
    """
    labels = torch.as_tensor(labels)
    if labels.is_floating_point() or ((labels < 0) | (labels >= num_classes)).any():
        raise DataError(
            f'class numbers must be whole and in [0, {num_classes}); they are '
            f'{sorted(set(labels.tolist()))[:5]}, ...'
        )
    targets = torch.zeros(len(labels), num_classes, dtype=torch.int8, device=labels.device)
    return targets.scatter_(1, labels.to(torch.int64)[:, None], 1)


def global_average_precision(scores: Tensor, targets: Tensor, k: int = 20) -> Tensor:
    """GAP@k of YouTube-8M (Abu-El-Haija et al., 2016).

    The ``k`` best labels of each video are pooled over all videos and ranked in one list; GAP is
    the average precision of that list without interpolation. Its recall counts every positive, also
    those outside the best ``k`` (``calculate_gap`` of the starter code). Equal scores are retrieved
    together here; the starter code shuffles them.

    Args:
        scores: ``(N, C)``, comparable between labels; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}; unknown labels are left out before ranking.
        k: Number of labels for each video.

    Returns:
        Scalar float64; NaN without positives.

    Examples:
        With one label a video, the second positive of the first video cannot be found:

        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.4], [0.2, 0.6]]), torch.tensor([[1, 1], [0, 0]])
        >>> global_average_precision(scores, targets, k=1).item()
        0.5
        >>> round(global_average_precision(scores, targets, k=2).item(), 4)  # (1/1 + 2/3) / 2
        0.8333
    """
    scores, targets = check_inputs(scores, targets)
    pooled = targets.masked_fill(~top_k_mask(scores, k), -1)
    ranks = positive_ranks(scores.reshape(-1, 1), pooled.reshape(-1, 1), above=False)
    total = (targets == 1).sum().to(torch.float64)
    return float(ranks.precision.sum()) / total if total else total.new_tensor(torch.nan)
