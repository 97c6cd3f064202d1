"""What takes part in a run beside the model: hooks."""

from ovmlv.compat import apply as _apply

_apply()

from . import hooks

__all__ = ['hooks']
