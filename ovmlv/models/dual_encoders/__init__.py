"""Dual encoders of transformers: one model of two sides, for videos (or pictures) and for texts."""

from .families import FAMILIES
from .loading import LoadedDualEncoder, describe_frames, load_dual_encoder
from .names import PREFIX, is_dual_encoder
from .saving import save_dual_encoder
from .text_tower import DualEncoderTextTower

__all__ = [
    'FAMILIES',
    'PREFIX',
    'DualEncoderTextTower',
    'LoadedDualEncoder',
    'describe_frames',
    'is_dual_encoder',
    'load_dual_encoder',
    'save_dual_encoder',
]
