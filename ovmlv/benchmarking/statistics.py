"""Means over seeds, and differences of rows paired over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from ovmlv.evaluation.functional import paired_permutation_test


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (n - 1) over n seeds.

    Without seeds, both are NaN; with one seed, the deviation is NaN.
    """

    mean: float
    std: float
    n: int


@dataclass(frozen=True)
class SeedComparison:
    """A row against the reference, paired over seeds.

    Attributes:
        n: Number of pairs.
        difference: Mean of row - reference.
        std: Sample standard deviation of the differences.
        t: Student's t of the differences, with n - 1 degrees of freedom.
        p_t: Two-sided p of t.
        p_sign_flip: Two-sided p of the permutation test that flips signs of differences, exact up
            to 16 pairs. It cannot be below ``2 / 2**n``: .25 with three seeds.
    """

    n: int
    difference: float
    std: float
    t: float
    p_t: float
    p_sign_flip: float


def summarize(values: Sequence[float]) -> Summary:
    """Mean and standard deviation of the values that are numbers."""
    values = [float(v) for v in values if not math.isnan(float(v))]
    if not values:
        return Summary(math.nan, math.nan, 0)
    return Summary(mean(values), stdev(values) if len(values) > 1 else math.nan, len(values))


def compare_seeds(
    values: Mapping[int | None, float], reference: Mapping[int | None, float]
) -> SeedComparison | None:
    """Compare two rows over the seeds that both have.

    A reference with one value for all seeds, as an untrained model has, is ``{None: value}``.

    Args:
        values: Seed -> figure of the row.
        reference: Seed -> figure of the reference.

    Returns:
        The test, or None if there is no pair.
    """
    if set(reference) == {None}:
        reference = dict.fromkeys(values, reference[None])
    elif set(values) == {None}:
        values = dict.fromkeys(reference, values[None])
    seeds = [seed for seed in values if seed in reference]
    figures = [(float(reference[seed]), float(values[seed])) for seed in seeds]
    figures = [(a, b) for a, b in figures if not math.isnan(b - a)]
    if not figures:
        return None
    pairs = [b - a for a, b in figures]
    n, difference = len(pairs), mean(pairs)
    std = stdev(pairs) if n > 1 else math.nan
    if n < 2:
        t = p_t = math.nan
    elif std == 0:
        t, p_t = (math.copysign(math.inf, difference), 0.0) if difference else (0.0, 1.0)
    else:
        from scipy.stats import ttest_1samp

        t, p_t = (float(v) for v in ttest_1samp(pairs, 0))
    others, own = torch.tensor(figures, dtype=torch.float64).T
    flips = paired_permutation_test(others, own)
    return SeedComparison(n, difference, std, t, p_t, flips.p_value)
