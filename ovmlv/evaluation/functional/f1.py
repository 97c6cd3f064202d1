"""Precision, recall and F1 at a threshold, at k, and at the best threshold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import ConfigError

from .inputs import check_inputs
from .ranks import positive_ranks
from .top_k import top_k_mask

#: Published definitions of precision, recall and F1 at k, as options of
#: :func:`precision_recall_at_k`.
#:
#: - ``mkt`` (``compute_F1`` of MKT, He et al., AAAI 2023): pooled over videos; labels without
#:   annotation rank with the others and count as wrong.
#: - ``dualcoop`` (``calc_F1`` of DualCoOp, Sun et al., NeurIPS 2022): pooled over videos; its data
#:   has no unknown labels.
#: - ``dualcoop_class`` (``validate`` of DualCoOp, there at a threshold): CP, CR and CF1 are means
#:   over all classes, a class without a hit counting 0.
#: - ``of_means`` (ML-GCN, SSGRL and most others): CF1 is the harmonic mean of CP and CR.
DEFINITIONS: dict[str, dict[str, str]] = {
    'mkt': dict(average='overall', unknown='negative'),
    'dualcoop': dict(average='overall', unknown='ignore'),
    'dualcoop_class': dict(average='class', unknown='ignore'),
    'of_means': dict(average='class_of_means', unknown='ignore'),
}


class PrecisionRecall(NamedTuple):
    """Precision, recall and F1, scalars float64.

    Examples:
        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.6, 0.2]]), torch.tensor([[1, 0, 0]])
        >>> found = precision_recall_at_threshold(scores, targets, threshold=0.5)
        >>> found.precision.item(), found.recall.item(), round(found.f1.item(), 4)
        (0.5, 1.0, 0.6667)
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor


def precision_recall_at_threshold(
    scores: Tensor, targets: Tensor, threshold: float = 0.5, average: str = 'overall'
) -> PrecisionRecall:
    """Precision, recall and F1 of ``scores >= threshold``.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}; unknown pairs are ignored.
        threshold: Least score that is a prediction (DualCoOp takes only scores above it).
        average: See :func:`precision_recall_at_k`.

    Examples:
        Two pairs are predicted, both rightly, and one of three positives is missed:

        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.6], [0.3, 0.8]]), torch.tensor([[1, 0], [1, 1]])
        >>> found = precision_recall_at_threshold(scores, targets, threshold=0.7)
        >>> [round(value.item(), 4) for value in found]
        [1.0, 0.6667, 0.8]
    """
    scores, targets = check_inputs(scores, targets)
    return _summary((scores >= threshold) & (scores > -torch.inf), targets == 1, average)


def precision_recall_at_k(
    scores: Tensor,
    targets: Tensor,
    k: int = 3,
    average: str = 'overall',
    unknown: str = 'ignore',
) -> PrecisionRecall:
    """Precision, recall and F1 when each video predicts its ``k`` best labels.

    Equal scores at the cut go to the label that comes first. A video with fewer than ``k`` labels
    to rank predicts those.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}.
        k: Number of predictions for each video.
        average: Kind of mean. ``overall``: ``P = hits / predictions``, ``R = hits / positives``
            over all pairs. ``class``: means over all classes of their P, R and F1, each 0 without a
            hit. ``class_of_means``: the same P and R, and the harmonic mean of the two as F1.
            ``macro``: means over the classes that have a positive.
        unknown: Treatment of unknown labels. ``ignore``: they are left out before ranking.
            ``negative``: they rank with the others and are no hits.

    Returns:
        All NaN without positives. See :data:`DEFINITIONS` for who uses which.

    Examples:
        Of four predictions, three are right, which are all positives there are:

        >>> import torch
        >>> scores = torch.tensor([[0.9, 0.6, 0.1], [0.3, 0.8, 0.7]])
        >>> targets = torch.tensor([[1, 0, 0], [0, 1, 1]])
        >>> [round(v.item(), 4) for v in precision_recall_at_k(scores, targets, k=2)]
        [0.75, 1.0, 0.8571]
        >>> found = precision_recall_at_k(scores, targets, k=2, **DEFINITIONS['of_means'])
        >>> [round(v.item(), 4) for v in found]  # P = (1 + 1/2 + 1) / 3
        [0.8333, 1.0, 0.9091]
    """
    if unknown not in ('ignore', 'negative'):
        raise ConfigError(f"unknown {unknown!r} is not one of 'ignore', 'negative'")
    if unknown == 'negative':
        targets = torch.as_tensor(targets)
        targets = torch.where(targets == -1, 0, targets)
    scores, targets = check_inputs(scores, targets)
    return _summary(top_k_mask(scores, k), targets == 1, average)


def f1_at_threshold(
    scores: Tensor, targets: Tensor, threshold: float = 0.5, average: str = 'micro'
) -> Tensor:
    """F1 of ``scores >= threshold`` over the known (video, label) pairs.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}.
        threshold: Least score that is a prediction.
        average: Kind of mean: ``micro`` pools all pairs; ``macro`` is the mean over the labels that
            have a positive (a label with positives and no hit counts 0).

    Returns:
        Scalar float64; NaN without positives.

    Examples:
        The first label's F1 is 1, the second's 2/3:

        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.6], [0.7, 0.8]]), torch.tensor([[1, 0], [1, 1]])
        >>> round(f1_at_threshold(scores, targets).item(), 4)  # 2 * 3 / (4 + 3)
        0.8571
        >>> round(f1_at_threshold(scores, targets, average='macro').item(), 4)
        0.8333
    """
    return precision_recall_at_threshold(scores, targets, threshold, _micro_macro(average)).f1


def f1_at_k(scores: Tensor, targets: Tensor, k: int = 3, average: str = 'micro') -> Tensor:
    """F1 when each video predicts its ``k`` best known labels (the F1@k of MKT and DualCoOp where
    no label is unknown); see :func:`precision_recall_at_k`.

    Args:
        scores: ``(N, C)``; ``-inf`` is never a prediction.
        targets: ``(N, C)`` of {1, 0, -1}.
        k: Number of predictions for each video.
        average: Kind of mean: ``micro`` or ``macro``, see :func:`f1_at_threshold`.

    Returns:
        Scalar float64; NaN without positives.

    Examples:
        Both predictions are right, and one of three positives is missed:

        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.6], [0.3, 0.8]]), torch.tensor([[1, 0], [1, 1]])
        >>> round(f1_at_k(scores, targets, k=1).item(), 4)  # 2 * 2 / (2 + 3)
        0.8
    """
    return precision_recall_at_k(scores, targets, k, _micro_macro(average)).f1


def peak_f1(scores: Tensor, targets: Tensor, average: str = 'overall') -> tuple[Tensor, Tensor]:
    """The best F1 that one threshold reaches, and that threshold.

    The threshold is chosen on the data that it is measured on, so the F1 is an upper bound of what
    a deployed threshold would give.

    Args:
        scores: ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}.
        average: Kind of threshold: ``overall`` is one for all pairs, ``class`` is one for each
            label.

    Returns:
        F1 and threshold (``scores >= threshold`` are predictions; of several that are equally good,
        it is the highest), both float64 scalars or, for ``class``, ``(C,)``. NaN without positives.

    Examples:
        >>> import torch
        >>> scores, targets = torch.tensor([[0.9, 0.4], [0.6, 0.1]]), torch.tensor([[1, 1], [0, 0]])
        >>> f1, threshold = peak_f1(scores, targets)
        >>> round(f1.item(), 4), round(threshold.item(), 4)
        (0.8, 0.4)
        >>> f1, thresholds = peak_f1(scores, targets, 'class')
        >>> f1.tolist(), [round(value, 4) for value in thresholds.tolist()]
        ([1.0, 1.0], [0.9, 0.4])
    """
    if average not in ('overall', 'class'):
        raise ConfigError(f"average {average!r} is not one of 'overall', 'class'")
    scores, targets = check_inputs(scores, targets)
    if average == 'overall':
        scores, targets = scores.reshape(-1, 1), targets.reshape(-1, 1)
    ranks = positive_ranks(scores, targets, above=False)
    # F1 can only fall between the scores of two positives.
    f1 = 2 * ranks.hits / (ranks.retrieved + ranks.num_positives[ranks.label])
    # Best last within each label; of equally good ones the highest score.
    order = np.lexsort((ranks.score, f1, ranks.label))
    best = order[ranks.num_positives.cumsum()[ranks.num_positives > 0] - 1]
    found = torch.full((2, scores.shape[1]), torch.nan, dtype=torch.float64)
    found[0, ranks.label[best]] = torch.from_numpy(f1[best])
    found[1, ranks.label[best]] = torch.from_numpy(ranks.score[best].astype(np.float64))
    found = found.to(scores.device)
    return (found[0], found[1]) if average == 'class' else (found[0, 0], found[1, 0])


def _micro_macro(average: str) -> str:
    if average not in ('micro', 'macro'):
        raise ConfigError(f"average {average!r} is not one of 'micro', 'macro'")
    return 'overall' if average == 'micro' else 'macro'


def _summary(predicted: Tensor, positive: Tensor, average: str) -> PrecisionRecall:
    """Precision, recall and F1 of two boolean ``(N, C)`` matrices."""
    if average not in ('overall', 'class', 'class_of_means', 'macro'):
        raise ConfigError(
            f"average {average!r} is not one of 'overall', 'class', 'class_of_means', 'macro'"
        )
    counts = torch.stack([(predicted & positive).sum(0), predicted.sum(0), positive.sum(0)])
    if not counts[2].any():
        nan = torch.tensor(torch.nan, dtype=torch.float64, device=positive.device)
        return PrecisionRecall(nan, nan, nan)
    if average == 'overall':
        counts = counts.sum(1, keepdim=True)
    elif average == 'macro':
        counts = counts[:, counts[2] > 0]
    hits, num_predicted, num_positive = counts.to(torch.float64)
    values = PrecisionRecall(
        (hits / num_predicted.clamp(min=1)).mean(),
        (hits / num_positive.clamp(min=1)).mean(),
        (2 * hits / (num_predicted + num_positive).clamp(min=1)).mean(),
    )
    if average == 'class_of_means':
        total = values.precision + values.recall
        f1 = 2 * values.precision * values.recall / total if total else torch.zeros_like(total)
        values = values._replace(f1=f1)
    return values
