"""Drawings of results."""

from ovmlv.compat import apply as _apply

_apply()

__all__: list[str] = []
