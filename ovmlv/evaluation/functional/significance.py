"""Tests of whether one model is better than another, on the same videos or over the same seeds."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import DataError

from .bootstrap import percentile_interval

# Up to this many pairs every assignment of signs is tried (65,536).
_EXACT_PAIRS = 16
# Relative noise of figures in float64: they come out of sums, whose order is anybody's.
_COMPUTED = 1e-12


class PairedComparison(NamedTuple):
    """Difference of two models.

    Attributes:
        difference: Value of the second model minus that of the first.
        low: Lower end of its interval (NaN for :func:`paired_permutation_test`).
        high: Upper end of its interval.
        p_value: Two-sided p-value.

    Examples:
        >>> found = PairedComparison(difference=0.02, low=0.01, high=0.03, p_value=0.004)
        >>> f'{found.difference:+.2f} [{found.low:.2f}, {found.high:.2f}], p = {found.p_value}'
        '+0.02 [0.01, 0.03], p = 0.004'
    """

    difference: float
    low: float
    high: float
    p_value: float


def paired_permutation_test(
    first: Tensor, second: Tensor, num_permutations: int = 100_000, seed: int = 0
) -> PairedComparison:
    """Sign-flip test of paired values: seeds of two methods, per-video or per-class figures.

    If the two did not differ, each difference could as well have the other sign. The p-value is the
    share of sign assignments whose mean is at least as far from 0 as the observed one. Up to 16
    pairs, all assignments are tried; with more, random ones and the observed one. With n pairs, the
    p-value cannot be below 2**(1 - n), so six seeds are the least for 0.05.

    Means that differ by no more than the rounding of the figures can make are equally far from 0.
    So give figures in the type that they were computed in: ``0.52 - 0.50`` and ``0.91 - 0.89`` are
    the same difference in float32 too, but not once float32 figures are called float64.

    Args:
        first: Values ``(n,)`` of the one model.
        second: Values ``(n,)`` of the other, in the same order. Pairs with a NaN are left out.
        num_permutations: Number of random assignments.
        seed: Seed of random assignments.

    Raises:
        DataError: Shapes differ, a difference is infinite, or no pair is left.

    Examples:
        Six seeds of which each is better; 2 of 2 ** 6 assignments of signs are as far from 0:

        >>> import torch
        >>> first = torch.tensor([0.70, 0.71, 0.72, 0.69, 0.70, 0.71])
        >>> found = paired_permutation_test(first, first + 0.02)
        >>> round(found.difference, 4), found.p_value
        (0.02, 0.03125)
    """
    first, second = torch.as_tensor(first), torch.as_tensor(second)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(
            f'pairs of {tuple(first.shape)} and {tuple(second.shape)} values do not match; give '
            '(n,)'
        )
    gap, noise = _differences(first, second)
    if np.isinf(gap).any():
        raise DataError(
            f'pair {np.isinf(gap).argmax()} has an infinite difference, beside which all others '
            'are nothing; leave it out'
        )
    known = ~np.isnan(gap)
    gap, noise = gap[known], noise[known]
    if not len(gap):
        raise DataError('no pair of values is left to be compared')
    observed = abs(gap.sum())
    # How far two sums of these differences may be apart that ought to be equal: by the rounding of
    # the figures, and by that of adding them up.
    slack = noise.sum() + len(gap) * np.finfo(np.float64).eps * np.abs(gap).sum()
    if len(gap) <= _EXACT_PAIRS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(gap))))
        p_value = float((np.abs(signs @ gap) >= observed - slack).mean())
    else:
        random = np.random.default_rng(seed)
        count, step = 1, max(1, 2**22 // len(gap))
        for start in range(0, num_permutations, step):
            size = (min(step, num_permutations - start), len(gap))
            signs = random.integers(2, size=size, dtype=np.int8) * 2.0 - 1
            count += int((np.abs(signs @ gap) >= observed - slack).sum())
        p_value = count / (num_permutations + 1)
    return PairedComparison(float(gap.mean()), float('nan'), float('nan'), p_value)


def paired_bootstrap(
    first: Tensor, second: Tensor, difference: float, confidence: float = 0.95
) -> PairedComparison:
    """Compare a metric of two models on the same resamples of the same videos.

    Args:
        first: Values ``(R,)`` of the one model, e.g.
            ``bootstrap_average_precision(...).nanmean(1)``.
        second: Values ``(R,)`` of the other, with the same ``counts``.
        difference: Value of the second minus that of the first, on the data without resampling.
        confidence: Confidence of the interval.

    Returns:
        The comparison. Its p-value is twice the share of resamples on the other side of 0, counted
        as (n + 1) / (R + 1), so it is never 0. A resample without a difference, but for the
        rounding of the two values, is on either side.

    Examples:
        The second model is better in all 999 resamples, so the p-value is 2 * (0 + 1) / (999 + 1):

        >>> import torch
        >>> first, second = torch.full((999,), 0.5), torch.linspace(0.51, 0.53, 999)
        >>> found = paired_bootstrap(first, second, difference=0.02)
        >>> round(found.low, 4), round(found.high, 4), found.p_value
        (0.0105, 0.0295, 0.002)
    """
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(
            f'resamples {tuple(first.shape)} and {tuple(second.shape)} do not match; use the same '
            'counts for both'
        )
    gap, noise = _differences(first, second)
    low, high = percentile_interval(torch.from_numpy(gap), confidence)
    known = ~np.isnan(gap)
    gap, noise = gap[known], noise[known]
    other = min(int((gap <= noise).sum()), int((gap >= -noise).sum()))
    return PairedComparison(difference, low, high, min(1.0, 2 * (other + 1) / (len(gap) + 1)))


def _differences(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Second minus first, float64 ``(n,)``, and how far rounding may have put two of them apart.

    A figure x is off by half a unit of its type's last place, at most ``eps / 2 * |x|``, and a
    difference by what both of its figures are. Two that ought to be equal are apart by twice that.
    """
    gap = second.detach().cpu().double() - first.detach().cpu().double()
    noise = torch.zeros_like(gap)
    for figures in (first, second):
        if figures.is_floating_point():  # whole numbers are exact
            precision = max(torch.finfo(figures.dtype).eps, _COMPUTED)
            noise += precision * figures.detach().cpu().double().abs()
    return gap.numpy(), noise.numpy()
