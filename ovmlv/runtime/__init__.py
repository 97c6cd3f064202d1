"""Tagging with an exported model: NumPy and onnxruntime, without torch, mmengine or transformers.

``ovmlv export`` makes such models. Nothing here may import other parts of ovmlv than
`ovmlv.errors`, `ovmlv.files`, `ovmlv.schema`, `ovmlv.containers` and `ovmlv.results`, which do not
need torch either.
"""

from .encoder_meta import EncoderMeta
from .label_set import LabelSet
from .video_tagger import VideoTagger

__all__ = ['EncoderMeta', 'LabelSet', 'VideoTagger']
