"""Models that join a video encoder, a label encoder and a loss."""

from .interpolated_weights import InterpolatedWeights
from .open_vocab_recognizer import OpenVocabRecognizer

__all__ = ['InterpolatedWeights', 'OpenVocabRecognizer']
