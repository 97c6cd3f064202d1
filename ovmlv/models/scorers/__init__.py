"""From similarities of unit vectors to logits."""

from .base_scorer import BaseScorer
from .sigmoid_scorer import SigmoidScorer

__all__ = ['BaseScorer', 'SigmoidScorer']
