"""Entry points for users' own programs."""

from ovmlv.compat import apply as _apply

_apply()

from .label_bank import LabelBank
from .label_index import LabelIndex
from .recognizer import init_recognizer
from .tag_result import LabelScore, TagResult
from .tagging import tag_video, tag_videos

__all__ = [
    'LabelBank',
    'LabelIndex',
    'LabelScore',
    'TagResult',
    'init_recognizer',
    'tag_video',
    'tag_videos',
]
