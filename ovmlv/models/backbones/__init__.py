"""Video encoders."""

from ovmlv.models.backbones.base_video_encoder import BaseVideoEncoder
from ovmlv.models.backbones.feature_backbone import FeatureBackbone
from ovmlv.models.backbones.temporal_clip_backbone import TemporalCLIPBackbone

__all__ = ['BaseVideoEncoder', 'FeatureBackbone', 'TemporalCLIPBackbone']
