"""Average precision over many labels at once, with ties grouped and unknown labels ignored."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import ConfigError

from .inputs import check_inputs
from .ranks import positive_ranks


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of each label.

    It is defined as scikit-learn's ``average_precision_score``: the mean over positives of the
    precision at the positive's score. All items of equal score count as retrieved together, so the
    value does not depend on the order of the videos. It is computed without a loop over labels,
    from two counts: for a positive of score ``s``, precision is
    ``#{positives >= s} / #{known >= s}``.

    Args:
        scores: ``(N, C)`` scores; higher is more likely, and ``-inf`` ranks last ("no prediction").
        targets: ``(N, C)`` of {1, 0, -1}; -1 is unknown and ignored.

    Returns:
        ``(C,)`` float64; NaN for a label without positives.

    Examples:
        >>> import torch
        >>> scores = torch.tensor([[.9], [.8], [.7], [.1]])
        >>> average_precision(scores, torch.tensor([[1], [0], [1], [-1]])).tolist()
        [0.8333333333333333]
    """
    ranks = positive_ranks(scores, targets, above=False)
    return ranks.mean_by_label(ranks.precision).to(torch.as_tensor(scores).device)


def area_under_pr_curve(scores: Tensor, targets: Tensor) -> Tensor:
    """Area under the precision-recall curve (AUPR) of each label by the trapezoidal rule.

    This is scikit-learn's ``auc(recall, precision)`` of ``precision_recall_curve``: neighbouring
    points, one for each distinct score, are joined by straight lines, and the curve begins at
    recall 0, precision 1. Straight lines are optimistic (Davis and Goadrich, 2006), so papers
    mostly give :func:`average_precision`, the area of the same points without interpolation.

    Args:
        scores: ``(N, C)``, see :func:`average_precision`.
        targets: ``(N, C)`` of {1, 0, -1}.

    Returns:
        ``(C,)`` float64; NaN for a label without positives.

    Examples:
        >>> import torch
        >>> scores = torch.tensor([[0.9], [0.8], [0.7]])
        >>> area = area_under_pr_curve(scores, torch.tensor([[1], [0], [1]]))
        >>> [round(value, 4) for value in area.tolist()]  # 1/2 * 1 + 1/2 * (1/2 + 2/3) / 2
        [0.7917]
    """
    ranks = positive_ranks(scores, targets)
    # The point of the curve just before this score; with nothing retrieved, precision is 1.
    before = np.ones(len(ranks.label))
    np.divide(ranks.hits_above, ranks.retrieved_above, before, where=ranks.retrieved_above > 0)
    # A tie of positives is one step of the curve, of which each has its share.
    area = ranks.mean_by_label((ranks.precision + before) / 2)
    return area.to(torch.as_tensor(scores).device)


def micro_average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of all known (video, label) pairs ranked in one list.

    Args:
        scores: ``(N, C)``. They must be comparable between labels, e.g. calibrated probabilities.
        targets: ``(N, C)`` of {1, 0, -1}.

    Returns:
        Scalar float64; NaN without positives.

    Examples:
        Each label ranks its own positive first, but one list of all pairs does not:

        >>> import torch
        >>> scores = torch.tensor([[0.9, 0.4], [0.6, 0.1]])
        >>> targets = torch.tensor([[1, 1], [0, 0]])
        >>> average_precision(scores, targets).tolist()
        [1.0, 1.0]
        >>> round(micro_average_precision(scores, targets).item(), 4)  # (1/1 + 2/3) / 2
        0.8333
    """
    scores, targets = check_inputs(scores, targets)
    return average_precision(scores.reshape(-1, 1), targets.reshape(-1, 1))[0]


def mean_average_precision(
    scores: Tensor, targets: Tensor, average: str = 'macro', min_positives: int = 1
) -> Tensor:
    """Mean of :func:`average_precision` over labels.

    Args:
        scores: ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}.
        average: Kind of mean: ``macro`` (each label counts alike), ``weighted`` (by its positives)
            or ``micro`` (:func:`micro_average_precision`, which has no mean over labels).
        min_positives: Labels with fewer positives are left out of ``macro`` and ``weighted``; a
            label without any positive never counts.

    Returns:
        Scalar float64; NaN where no label counts.

    Examples:
        >>> import torch
        >>> scores = torch.tensor([[0.9, 0.9], [0.8, 0.8], [0.1, 0.1]])
        >>> targets = torch.tensor([[1, 0], [1, 1], [0, 0]])
        >>> average_precision(scores, targets).tolist()
        [1.0, 0.5]
        >>> mean_average_precision(scores, targets).item()
        0.75
        >>> round(mean_average_precision(scores, targets, 'weighted').item(), 4)  # (2 + 0.5) / 3
        0.8333
    """
    if average == 'micro':
        return micro_average_precision(scores, targets)
    positives = (torch.as_tensor(targets) == 1).sum(0)
    return reduce_average_precision(
        average_precision(scores, targets), positives, average, min_positives
    )


def reduce_average_precision(
    values: Tensor, positives: Tensor, average: str = 'macro', min_positives: int = 1
) -> Tensor:
    """Reduce per-label average precisions that are already computed.

    Args:
        values: ``(C,)`` from :func:`average_precision`.
        positives: ``(C,)`` number of positives of each label.
        average: ``macro`` or ``weighted``.
        min_positives: See :func:`mean_average_precision`.

    Returns:
        Scalar float64; NaN where no label counts.

    Examples:
        The third label has no positive and does not count:

        >>> import torch
        >>> values, positives = torch.tensor([1.0, 0.5, torch.nan]), torch.tensor([2, 1, 0])
        >>> reduce_average_precision(values, positives).item()
        0.75
        >>> reduce_average_precision(values, positives, min_positives=2).item()
        1.0
    """
    if average not in ('macro', 'weighted'):
        raise ConfigError(f"average {average!r} is not one of 'macro', 'weighted', 'micro'")
    counts = countable_labels(positives, min_positives)
    values, positives = values[counts], positives[counts].to(torch.float64)
    weights = positives if average == 'weighted' else torch.ones_like(positives)
    return (values * weights).sum() / weights.sum()


def countable_labels(positives: Tensor, min_positives: int = 1) -> Tensor:
    """Mask ``(C,)`` of the labels with enough positives to enter a mean.

    Examples:
        >>> import torch
        >>> countable_labels(torch.tensor([5, 1, 0])).tolist()
        [True, True, False]
        >>> countable_labels(torch.tensor([5, 1, 0]), min_positives=2).tolist()
        [True, False, False]
    """
    return positives >= max(int(min_positives), 1)
