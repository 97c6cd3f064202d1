"""Parts of a run beside the model: hooks, optimizer wrappers and strategies."""

from ovmlv.compat import apply as _apply, keep_averaged_weights as _keep_averaged_weights

_apply()
_keep_averaged_weights()

from . import hooks, optim_wrappers, strategies

__all__ = ['hooks', 'optim_wrappers', 'strategies']
