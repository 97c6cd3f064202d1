"""Average precision over many labels at once, with ties grouped and unknown labels ignored."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .inputs import check_inputs

# Labels are worked off in chunks of about this many scores: a chunk stays in the processor's
# cache, and 1M videos by 3,000 labels need no second copy of the matrix.
_CHUNK_SCORES = 2**20


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of each label.

    Defined as scikit-learn's ``average_precision_score``: the mean over positives of the precision
    at the positive's score, every item of equal score counted as retrieved together, so that the
    value does not depend on the order of the videos. It is computed without a loop over labels
    from two counts: for a positive of score ``s``, precision is ``#{positives >= s} / #{known >=
    s}``.

    Args:
        scores: ``(N, C)``, higher is more likely; ``-inf`` ranks last ("no prediction").
        targets: ``(N, C)`` of {1, 0, -1}; -1 is unknown and ignored.

    Returns:
        ``(C,)`` float64; NaN for a label without positives.

    Examples:
        >>> import torch
        >>> scores = torch.tensor([[.9], [.8], [.7], [.1]])
        >>> average_precision(scores, torch.tensor([[1], [0], [1], [-1]])).tolist()
        [0.8333333333333333]
    """
    scores, targets = check_inputs(scores, targets)
    num_rows, num_labels = scores.shape
    step = max(1, _CHUNK_SCORES // max(num_rows, 1))
    chunks = [
        _average_precision_rows(
            scores[:, i : i + step].T.contiguous(), targets[:, i : i + step].T.contiguous()
        )
        for i in range(0, num_labels, step)
    ]
    return torch.cat(chunks) if chunks else scores.new_zeros(0)


def micro_average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of all known (video, label) pairs ranked in one list.

    Args:
        scores: ``(N, C)``. They must be comparable between labels, e.g. calibrated probabilities.
        targets: ``(N, C)`` of {1, 0, -1}.

    Returns:
        Scalar float64; NaN without positives.
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
        average: ``macro`` (each label counts alike), ``weighted`` (by its positives) or ``micro``
            (:func:`micro_average_precision`, which has no mean over labels).
        min_positives: Labels with fewer positives are left out of ``macro`` and ``weighted``; a
            label without any positive never counts.

    Returns:
        Scalar float64; NaN where no label counts.
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
    """
    if average not in ('macro', 'weighted'):
        raise ValueError(f"average {average!r} is not one of 'macro', 'weighted', 'micro'")
    counts = countable_labels(positives, min_positives)
    values, positives = values[counts], positives[counts].to(torch.float64)
    weights = positives if average == 'weighted' else torch.ones_like(positives)
    return (values * weights).sum() / weights.sum()


def countable_labels(positives: Tensor, min_positives: int = 1) -> Tensor:
    """Mask ``(C,)`` of the labels with enough positives to enter a mean."""
    return positives >= max(int(min_positives), 1)


def _average_precision_rows(scores: Tensor, targets: Tensor) -> Tensor:
    """Average precision of each row of ``(C, N)`` scores; unknown entries hold ``-inf``."""
    positive = targets == 1
    num_positives = positive.sum(1)
    num_known = (targets >= 0).sum(1, keepdim=True)
    longest = int(num_positives.max()) if len(num_positives) else 0
    if longest == 0:
        return torch.full((len(scores),), torch.nan, dtype=torch.float64, device=scores.device)

    # Scores of the positives of each label, left-aligned in (C, longest), +inf where there are
    # none.
    label, _ = positive.nonzero(as_tuple=True)
    first = num_positives.cumsum(0) - num_positives
    slot = torch.arange(len(label), device=scores.device) - first[label]
    found = scores.new_full((len(scores), longest), torch.inf)
    found[label, slot] = scores[positive]
    found = _sort_rows(found)

    all_sorted = _sort_rows(scores)
    # Unknown entries are -inf, so they are counted for a positive of -inf alone: hence the clamp.
    retrieved = scores.shape[1] - torch.searchsorted(all_sorted, found)
    retrieved = torch.minimum(retrieved, num_known)
    hits = num_positives[:, None] - torch.searchsorted(found, found)
    filled = torch.arange(longest, device=scores.device) < num_positives[:, None]
    precision = torch.where(filled, hits.to(torch.float64) / retrieved.clamp(min=1), 0.0)
    return precision.sum(1) / num_positives  # 0 / 0 is the NaN that is promised


def _sort_rows(values: Tensor) -> Tensor:
    """Rows in ascending order. NumPy sorts values alone, several times faster than
    ``torch.sort``."""
    if values.device.type == 'cpu':
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values
