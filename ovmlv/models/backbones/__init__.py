"""Video encoders."""

from .base_video_encoder import BaseVideoEncoder
from .feature_backbone import FeatureBackbone
from .temporal_clip_backbone import TemporalCLIPBackbone
from .transformers_video_backbone import TransformersVideoBackbone

__all__ = [
    'BaseVideoEncoder',
    'FeatureBackbone',
    'TemporalCLIPBackbone',
    'TransformersVideoBackbone',
]
