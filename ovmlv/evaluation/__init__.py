"""Evaluation: a functional core on tensors and thin mmengine metrics on top."""

from ovmlv.compat import apply as _apply

_apply()

from . import functional  # noqa: E402
from .metrics import MultilabelMetric  # noqa: E402

__all__ = ['MultilabelMetric', 'functional']
