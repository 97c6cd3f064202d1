"""Hooks for mmengine's Runner."""

from .step_seed_hook import StepSeedHook
from .vocabulary_hook import VocabularyHook

__all__ = ['StepSeedHook', 'VocabularyHook']
