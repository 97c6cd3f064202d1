"""Evaluation: a functional core on tensors and thin mmengine metrics on top."""

from ovmlv.compat import apply as _apply

_apply()

from . import functional
from .metrics import MultilabelMetric

__all__ = ['MultilabelMetric', 'functional']
