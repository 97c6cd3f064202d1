"""Video data sets with multi-label annotations, and their transforms."""

from ovmlv.compat import apply as _apply

_apply()

from .base_segment_dataset import BaseSegmentDataset
from .base_video_dataset import BaseVideoDataset
from .charades_dataset import CharadesDataset
from .multilabel_video_dataset import MultilabelVideoDataset
from .segments import Segment, Timeline, label_matrix, sliding_windows
from .transforms import PackMultilabelInputs, SampleSegmentFrames

__all__ = [
    'BaseSegmentDataset',
    'BaseVideoDataset',
    'CharadesDataset',
    'MultilabelVideoDataset',
    'PackMultilabelInputs',
    'SampleSegmentFrames',
    'Segment',
    'Timeline',
    'label_matrix',
    'sliding_windows',
]
