"""Hooks for mmengine's Runner."""

from .label_weight_hook import LabelWeightHook
from .step_cost_hook import StepCostHook
from .step_seed_hook import StepSeedHook
from .time_budget_hook import TimeBudgetHook
from .video_label_visualization_hook import VideoLabelVisualizationHook
from .vocabulary_hook import VocabularyHook
from .weight_patch_hook import WeightPatchHook

__all__ = [
    'LabelWeightHook',
    'StepCostHook',
    'StepSeedHook',
    'TimeBudgetHook',
    'VideoLabelVisualizationHook',
    'VocabularyHook',
    'WeightPatchHook',
]
