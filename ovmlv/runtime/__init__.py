"""Tagging with an exported model: NumPy and onnxruntime, without torch, mmengine or transformers.

Made by ``ovmlv export``. Nothing here may import other parts of ovmlv than `ovmlv.errors`.
"""

from .encoder_meta import EncoderMeta
from .label_set import LabelSet
from .video_tagger import VideoTagger
from .video_tags import VideoTags

__all__ = ['EncoderMeta', 'LabelSet', 'VideoTagger', 'VideoTags']
