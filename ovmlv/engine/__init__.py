"""What takes part in a run beside the model: hooks and optimizer wrappers."""

from ovmlv.compat import apply as _apply

_apply()

from . import hooks, optim_wrappers

__all__ = ['hooks', 'optim_wrappers']
