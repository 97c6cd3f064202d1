"""Labels derived by language models from labels, captions or frames."""

from ovmlv.compat import apply as _apply

_apply()

from .answers import AnswerFile
from .frame_generator import FrameGenerator
from .parsing import ParsedLabels, parse_labels, vote
from .prompts import PROMPTS, Prompt, load_prompt
from .text_generator import TextGenerator

__all__ = [
    'PROMPTS',
    'AnswerFile',
    'FrameGenerator',
    'ParsedLabels',
    'Prompt',
    'TextGenerator',
    'load_prompt',
    'parse_labels',
    'vote',
]
