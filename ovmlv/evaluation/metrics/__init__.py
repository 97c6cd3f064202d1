"""Metrics for mmengine's evaluator."""

from .base_score_metric import BaseScoreMetric
from .dump_predictions import DumpPredictions
from .frame_level_metric import FrameLevelMetric
from .multilabel_metric import MultilabelMetric
from .single_label_metric import SingleLabelMetric

__all__ = [
    'BaseScoreMetric',
    'DumpPredictions',
    'FrameLevelMetric',
    'MultilabelMetric',
    'SingleLabelMetric',
]
