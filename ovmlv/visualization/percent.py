"""Probabilities in words."""

from __future__ import annotations


def percent(probability: float) -> str:
    """A probability in per cent, with a decimal if it is small.

    Examples:
        >>> percent(0.73), percent(0.024), percent(0.0001)
        ('73%', '2.4%', '<0.1%')
    """
    if probability >= 0.095 or probability == 0:
        return f'{100 * probability:.0f}%'
    return f'{100 * probability:.1f}%' if probability >= 0.0005 else '<0.1%'
