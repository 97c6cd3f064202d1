"""Video encoders."""

from .base_video_encoder import BaseVideoEncoder
from .feature_backbone import FeatureBackbone
from .temporal_clip_backbone import TemporalCLIPBackbone

__all__ = ['BaseVideoEncoder', 'FeatureBackbone', 'TemporalCLIPBackbone']
