"""Drawings of results."""

from ovmlv.compat import apply as _apply

_apply()

from .annotated_video import write_annotated_video
from .contact_sheet import SheetLabel, SheetRow, contact_sheet
from .frame_attention import draw_attention, frame_attention, video_attention
from .frame_labeler import FrameLabeler, PlateRow
from .frame_relevance import FrameRelevance, FrameScore, draw_frame_relevance, frame_relevance
from .result_sheet import write_contact_sheet
from .timeline import draw_timeline
from .video_label_visualizer import VideoLabelVisualizer

__all__ = [
    'FrameLabeler',
    'FrameRelevance',
    'FrameScore',
    'PlateRow',
    'SheetLabel',
    'SheetRow',
    'VideoLabelVisualizer',
    'contact_sheet',
    'draw_attention',
    'draw_frame_relevance',
    'draw_timeline',
    'frame_attention',
    'frame_relevance',
    'video_attention',
    'write_annotated_video',
    'write_contact_sheet',
]
