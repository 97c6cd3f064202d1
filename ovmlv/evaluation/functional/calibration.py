"""The distance of probabilities from observed frequencies."""

from __future__ import annotations

import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DataError

from .inputs import check_inputs


def expected_calibration_error(
    scores: Tensor, targets: Tensor, num_bins: int = 15, adaptive: bool = False
) -> Tensor:
    """Expected calibration error (Guo et al., 2017) over all known (video, label) pairs.

    ``sum_b n_b / n * |mean probability in b - share of positives in b|``.

    Of K bins of equal width, bin b holds the probabilities p with ``b / K <= p < (b + 1) / K``,
    compared as float64 numbers; the last one holds 1 as well. (The code of Guo et al. counts an
    edge to the bin below it, and torchmetrics puts 1 into a bin of its own: values differ where
    probabilities fall on edges, as rounded ones do.) Of K adaptive bins, a pair falls into bin
    ``floor(i * K / n)``, where i is the number of pairs with smaller probability, so equal
    probabilities share a bin.

    Args:
        scores: ``(N, C)`` probabilities in [0, 1]; ``-inf`` (no prediction) is left out.
        targets: ``(N, C)`` of {1, 0, -1}.
        num_bins: Number of bins.
        adaptive: Whether bins have equal numbers of pairs (adaptive ECE) rather than equal width.
            This suits label sets where nearly all probabilities are close to 0.

    Returns:
        Scalar float64; NaN without known pairs.

    Examples:
        Of five pairs at 0.8, four should be positive:

        >>> import torch
        >>> scores = torch.full((5, 1), 0.8)
        >>> four, five = torch.tensor([[1], [1], [1], [1], [0]]), torch.ones(5, 1)
        >>> round(expected_calibration_error(scores, four).item(), 4)
        0.0
        >>> round(expected_calibration_error(scores, five).item(), 4)
        0.2

        Of ten bins, the one from 0.3 on holds both of these, so it is off by 0.65 - 1:

        >>> scores, one = torch.tensor([[0.3, 0.35]], dtype=torch.float64), torch.tensor([[1, 0]])
        >>> round(expected_calibration_error(scores, one, num_bins=10).item(), 4)
        0.175
    """
    _check_bins(num_bins)
    probabilities, labels = known_pairs(scores, targets)
    if len(probabilities) == 0:
        return probabilities.new_tensor(torch.nan)
    if adaptive:
        # Equal probabilities stay in one bin, so that neither the order of the videos nor a cut
        # through a group of ties makes calibrated scores look wrong.
        probabilities, order = probabilities.sort(stable=True)
        labels = labels[order]
        first = torch.searchsorted(probabilities, probabilities)
        bins = first * num_bins // len(labels)
    else:
        bins = bins_of_equal_width(probabilities, num_bins)
    zeros = probabilities.new_zeros(num_bins)
    gap = zeros.scatter_add(0, bins, probabilities - labels)
    return gap.abs().sum() / len(labels)


def bin_edges(num_bins: int, device: torch.device | None = None) -> Tensor:
    """The edges ``b / K`` of K bins of equal width, ``(K + 1,)`` float64.

    Each is the quotient itself. What ``torch.linspace`` and ``numpy.linspace`` give is a multiple
    of a step that was rounded before: their 3 / 10 is above 0.3.
    """
    _check_bins(num_bins)
    return torch.arange(num_bins + 1, dtype=torch.float64, device=device) / num_bins


def bins_of_equal_width(probabilities: Tensor, num_bins: int) -> Tensor:
    """The bin of each probability, ``(P,)`` int64: see :func:`expected_calibration_error`."""
    edges = bin_edges(num_bins, probabilities.device)
    return torch.bucketize(probabilities.double(), edges[1:-1], right=True)


def brier_score(scores: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference of probability and label over all known pairs.

    Args:
        scores: ``(N, C)`` probabilities in [0, 1]; ``-inf`` (no prediction) is left out.
        targets: ``(N, C)`` of {1, 0, -1}.

    Returns:
        Scalar float64; NaN without known pairs.

    Examples:
        >>> import torch
        >>> scores, targets = torch.tensor([[0.8, 0.3]]), torch.tensor([[1, 0]])
        >>> round(brier_score(scores, targets).item(), 4)  # (0.2 ** 2 + 0.3 ** 2) / 2
        0.065
    """
    probabilities, labels = known_pairs(scores, targets)
    return (probabilities - labels).square().mean()


def known_pairs(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and labels, both ``(P,)`` float64, of the pairs that are known and
    predicted.
    """
    scores, targets = check_inputs(scores, targets)
    used = (targets >= 0) & (scores > -torch.inf)
    probabilities, labels = scores[used].to(torch.float64), targets[used].to(torch.float64)
    if (
        len(probabilities)
        and not 0 <= float(probabilities.min()) <= float(probabilities.max()) <= 1
    ):
        raise DataError(
            f'scores reach from {float(probabilities.min()):.4g} to '
            f'{float(probabilities.max()):.4g}; calibration needs probabilities in [0, 1]: apply '
            'the sigmoid first'
        )
    return probabilities, labels


def _check_bins(num_bins: int) -> None:
    if num_bins < 1:
        raise ConfigError(f'num_bins is {num_bins}; the calibration error needs at least one bin')
