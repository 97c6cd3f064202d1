"""Metrics as pure functions of ``(N, C)`` scores and targets; the classes above them only
collect."""

from .average_precision import (
    average_precision,
    countable_labels,
    mean_average_precision,
    micro_average_precision,
    reduce_average_precision,
)
from .calibration import brier_score, expected_calibration_error
from .charades import charades_average_precision
from .f1 import f1_at_k, f1_at_threshold
from .inputs import check_inputs
from .means import harmonic_mean

__all__ = [
    'average_precision',
    'brier_score',
    'charades_average_precision',
    'check_inputs',
    'countable_labels',
    'expected_calibration_error',
    'f1_at_k',
    'f1_at_threshold',
    'harmonic_mean',
    'mean_average_precision',
    'micro_average_precision',
    'reduce_average_precision',
]
