"""Evaluation: a functional core on tensors and thin mmengine metrics on top."""

from ovmlv.compat import apply as _apply

_apply()

from . import functional
from .metrics import DumpPredictions, FrameLevelMetric, MultilabelMetric, SingleLabelMetric
from .predictions import Predictions
from .score_calibration import Calibration, calibration_report, fit_calibration

__all__ = [
    'Calibration',
    'DumpPredictions',
    'FrameLevelMetric',
    'MultilabelMetric',
    'Predictions',
    'SingleLabelMetric',
    'calibration_report',
    'fit_calibration',
    'functional',
]
