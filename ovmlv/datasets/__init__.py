"""Video data sets with multi-label annotations, and their transforms."""

from ovmlv.compat import apply as _apply

_apply()

from .base_video_dataset import BaseVideoDataset
from .charades_dataset import CharadesDataset
from .multilabel_video_dataset import MultilabelVideoDataset
from .transforms import PackMultilabelInputs, SampleSegmentFrames

__all__ = [
    'BaseVideoDataset',
    'CharadesDataset',
    'MultilabelVideoDataset',
    'PackMultilabelInputs',
    'SampleSegmentFrames',
]
