"""Probabilities in words."""

from __future__ import annotations


def percent(probability: float) -> str:
    """A probability in per cent, with a decimal where it is small: ``73%``, ``2.4%``, ``<0.1%``."""
    if probability >= 0.095 or probability == 0:
        return f'{100 * probability:.0f}%'
    return f'{100 * probability:.1f}%' if probability >= 0.0005 else '<0.1%'
