"""Video data sets with multi-label annotations, and their transforms."""

from ovmlv.compat import apply as _apply

_apply()

from .base_video_dataset import BaseVideoDataset  # noqa: E402
from .charades_dataset import CharadesDataset  # noqa: E402
from .multilabel_video_dataset import MultilabelVideoDataset  # noqa: E402
from .transforms import PackMultilabelInputs, SampleSegmentFrames  # noqa: E402

__all__ = [
    'BaseVideoDataset',
    'CharadesDataset',
    'MultilabelVideoDataset',
    'PackMultilabelInputs',
    'SampleSegmentFrames',
]
