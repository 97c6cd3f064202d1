"""Models that join a video encoder, a label encoder and a loss."""

from .interpolated_weights import InterpolatedWeights
from .open_vocab_recognizer import OpenVocabRecognizer
from .vision_language_tagger import VisionLanguageTagger

__all__ = ['InterpolatedWeights', 'OpenVocabRecognizer', 'VisionLanguageTagger']
