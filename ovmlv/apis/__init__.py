"""Entry points for users' own programs."""

from ovmlv.compat import apply as _apply

_apply()

from .recognizer import init_recognizer
from .tag_result import LabelScore, TagResult
from .tagging import tag_video, tag_videos

__all__ = ['LabelScore', 'TagResult', 'init_recognizer', 'tag_video', 'tag_videos']
