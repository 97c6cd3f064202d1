"""Metrics as pure functions of ``(N, C)`` scores and targets; the classes above them only
collect.
"""

from .average_precision import (
    area_under_pr_curve,
    average_precision,
    countable_labels,
    mean_average_precision,
    micro_average_precision,
    reduce_average_precision,
)
from .bootstrap import (
    bootstrap,
    bootstrap_average_precision,
    percentile_interval,
    resample_counts,
)
from .calibration import brier_score, expected_calibration_error
from .charades import charades_average_precision
from .f1 import (
    DEFINITIONS,
    PrecisionRecall,
    f1_at_k,
    f1_at_threshold,
    peak_f1,
    precision_recall_at_k,
    precision_recall_at_threshold,
)
from .frame_level import per_frame_average_precision
from .inputs import check_inputs
from .means import harmonic_mean
from .ranks import PositiveRanks, positive_ranks
from .significance import PairedComparison, paired_bootstrap, paired_permutation_test
from .top_k import global_average_precision, one_hot, top_k_mask, topk_accuracy

__all__ = [
    'DEFINITIONS',
    'PairedComparison',
    'PositiveRanks',
    'PrecisionRecall',
    'area_under_pr_curve',
    'average_precision',
    'bootstrap',
    'bootstrap_average_precision',
    'brier_score',
    'charades_average_precision',
    'check_inputs',
    'countable_labels',
    'expected_calibration_error',
    'f1_at_k',
    'f1_at_threshold',
    'global_average_precision',
    'harmonic_mean',
    'mean_average_precision',
    'micro_average_precision',
    'one_hot',
    'paired_bootstrap',
    'paired_permutation_test',
    'peak_f1',
    'per_frame_average_precision',
    'percentile_interval',
    'positive_ranks',
    'precision_recall_at_k',
    'precision_recall_at_threshold',
    'reduce_average_precision',
    'resample_counts',
    'top_k_mask',
    'topk_accuracy',
]
