"""Parts of a run beside the model: hooks and optimizer wrappers."""

from ovmlv.compat import apply as _apply, keep_averaged_weights as _keep_averaged_weights

_apply()
_keep_averaged_weights()

from . import hooks, optim_wrappers

__all__ = ['hooks', 'optim_wrappers']
