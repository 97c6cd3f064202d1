"""Vision-language models of transformers, which read frames and a prompt."""

from .vision_language_model import VisionLanguageModel
from .yes_no import AnswerWords, YesNoReader

__all__ = ['AnswerWords', 'VisionLanguageModel', 'YesNoReader']
