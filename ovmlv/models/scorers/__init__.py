"""From similarities of unit vectors to logits."""

from .sigmoid_scorer import SigmoidScorer

__all__ = ['SigmoidScorer']
