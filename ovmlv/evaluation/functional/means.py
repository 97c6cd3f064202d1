"""Means over groups of labels."""

from __future__ import annotations

import math

from ovmlv.errors import DataError


def harmonic_mean(*values: float) -> float:
    """Harmonic mean, the usual summary of seen and unseen labels.

    Returns:
        The mean; it is 0 if any value is 0, and NaN if any is NaN or there is none.

    Examples:
        >>> round(harmonic_mean(0.6, 0.3), 4)  # 2 * 0.6 * 0.3 / (0.6 + 0.3)
        0.4
    """
    if not values or any(math.isnan(v) for v in values):
        return math.nan
    if min(values) < 0:
        raise DataError(f'the harmonic mean of {values} is not defined: a value is negative')
    if min(values) == 0:
        return 0.0
    # As a product over the smallest value: 1 / v overflows for subnormal v.
    low = min(values)
    return len(values) * low / sum(low / v for v in values)
