"""The one place where scores and targets of the functional metrics are checked."""

from __future__ import annotations

import torch
from torch import Tensor

from ovmlv.errors import DataError


def check_inputs(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Validate and convert what every metric of this package takes.

    Args:
        scores: ``(N, C)`` scores, higher is more likely. ``-inf`` means "no prediction was made"
            and ranks below everything; NaN and ``+inf`` are refused, except where the target is
            unknown.
        targets: ``(N, C)`` of 1 (positive), 0 (negative) and -1 (unknown, ignored).

    Returns:
        ``scores`` as float32 if they are float32 and as float64 otherwise, with ``-inf`` at unknown
        targets; ``targets`` as int8. Ranks do not depend on the format; make sums in float64.

    Raises:
        ValueError: Shapes differ, a target is not in {1, 0, -1}, or a score is not a number.

    Examples:
        >>> import torch
        >>> scores, targets = check_inputs(torch.tensor([[0.5, 0.2]]), torch.tensor([[1, -1]]))
        >>> scores.tolist(), targets.dtype
        ([[0.5, -inf]], torch.int8)
    """
    scores = torch.as_tensor(scores).detach()
    targets = torch.as_tensor(targets).detach()
    if scores.ndim != 2 or scores.shape != targets.shape:
        raise DataError(
            f'scores {tuple(scores.shape)} and targets {tuple(targets.shape)} must both be '
            '(videos, labels)'
        )
    # Minimum and maximum tell in one pass each what a mask of every entry would; the masks are
    # made for messages alone.
    low, high = _range(targets)
    if targets.is_floating_point() or low < -1 or high > 1:
        valid = (targets == 1) | (targets == 0) | (targets == -1)
        if not bool(valid.all()):
            row, column = (~valid).nonzero()[0].tolist()
            raise DataError(
                f'targets[{row}, {column}] is {targets[row, column].item()}; only 1 (positive), 0 '
                '(negative) and -1 (unknown) are allowed'
            )
    if scores.dtype != torch.float32:
        scores = scores.to(torch.float64)
    if low < 0:
        scores = scores.masked_fill(targets == -1, -torch.inf)
    if not _range(scores)[1] < torch.inf:
        bad = scores.isnan() | (scores == torch.inf)
        row, column = bad.nonzero()[0].tolist()
        raise DataError(
            f'scores[{row}, {column}] is {scores[row, column].item()}; {int(bad.sum())} of '
            f'{bad.numel()} scores are no finite numbers: check the model for NaN'
        )
    return scores, targets.to(torch.int8)


def _range(values: Tensor) -> tuple[float, float]:
    """Least and greatest entry, NaN if there is a NaN; zeros for an empty tensor."""
    if values.numel() == 0:
        return 0.0, 0.0
    if values.dtype == torch.bool:
        return 0.0, 1.0
    low, high = values.aminmax()
    return low.item(), high.item()
