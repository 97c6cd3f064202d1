"""Evaluation: a functional core on tensors and thin mmengine metrics on top."""

from ovmlv.compat import apply as _apply

_apply()

from . import functional
from .metrics import DumpPredictions, FrameLevelMetric, MultilabelMetric, SingleLabelMetric
from .predictions import Predictions

__all__ = [
    'DumpPredictions',
    'FrameLevelMetric',
    'MultilabelMetric',
    'Predictions',
    'SingleLabelMetric',
    'functional',
]
