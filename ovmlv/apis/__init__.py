"""Entry points for users' own programs."""

from ovmlv.compat import apply as _apply

_apply()

__all__: list[str] = []
