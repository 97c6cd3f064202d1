"""Video encoders."""

from ovmlv.models.backbones.temporal_clip_backbone import TemporalCLIPBackbone

__all__ = ['TemporalCLIPBackbone']
