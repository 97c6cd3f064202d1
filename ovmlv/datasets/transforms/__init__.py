"""Transforms that MMAction2 lacks; its own are used with the prefix ``mmaction.``."""

from .pack_multilabel_inputs import PackMultilabelInputs
from .sample_segment_frames import SampleSegmentFrames

__all__ = ['PackMultilabelInputs', 'SampleSegmentFrames']
