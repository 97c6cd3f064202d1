"""Temporal modules: inside the blocks of a vision transformer, beside it, or over its frames."""

from .base_block_temporal import BaseBlockTemporal, select_blocks
from .block_parts import BlockParts
from .cross_frame_message import CrossFrameMessage
from .frame_mean import FrameMean
from .frame_transformer import FrameTransformer
from .grid_frame_transformer import GridFrameTransformer
from .neighbor_frame_attention import NeighborFrameAttention
from .parallel_temporal_attention import ParallelTemporalAttention
from .projected_frame_mean import ProjectedFrameMean

__all__ = [
    'BaseBlockTemporal',
    'BlockParts',
    'CrossFrameMessage',
    'FrameMean',
    'FrameTransformer',
    'GridFrameTransformer',
    'NeighborFrameAttention',
    'ParallelTemporalAttention',
    'ProjectedFrameMean',
    'select_blocks',
]
