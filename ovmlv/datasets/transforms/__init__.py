"""Transforms that MMAction2 lacks; its own are used with the prefix ``mmaction.``.

The pipelines of this project have no ``mmaction.Flip``: labels such as "moving left" or "turning to
the right" would be wrong for the mirrored video. Add it if no label tells left from right.
"""

from .cache_frames import CacheFrames
from .load_record_features import LoadRecordFeatures
from .pack_multilabel_inputs import PackMultilabelInputs
from .resize_frames import ResizeFrames
from .sample_segment_frames import SampleSegmentFrames
from .video_decode import VideoDecode
from .video_init import VideoInit

__all__ = [
    'CacheFrames',
    'LoadRecordFeatures',
    'PackMultilabelInputs',
    'ResizeFrames',
    'SampleSegmentFrames',
    'VideoDecode',
    'VideoInit',
]
