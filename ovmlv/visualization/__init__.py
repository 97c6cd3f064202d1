"""Drawings of results."""

from ovmlv.compat import apply as _apply

_apply()

from .annotated_video import write_annotated_video
from .contact_sheet import SheetLabel, SheetRow, contact_sheet
from .frame_labeler import FrameLabeler, PlateRow
from .video_label_visualizer import VideoLabelVisualizer

__all__ = [
    'FrameLabeler',
    'PlateRow',
    'SheetLabel',
    'SheetRow',
    'VideoLabelVisualizer',
    'contact_sheet',
    'write_annotated_video',
]
