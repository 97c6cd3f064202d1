"""Temporal modules: inside the blocks of a vision transformer, or over the embeddings of frames."""

from ovmlv.models.temporal.base_block_temporal import BaseBlockTemporal, select_blocks
from ovmlv.models.temporal.block_parts import BlockParts
from ovmlv.models.temporal.cross_frame_message import CrossFrameMessage
from ovmlv.models.temporal.frame_mean import FrameMean
from ovmlv.models.temporal.frame_transformer import FrameTransformer
from ovmlv.models.temporal.neighbor_frame_attention import NeighborFrameAttention
from ovmlv.models.temporal.parallel_temporal_attention import ParallelTemporalAttention

__all__ = [
    'BaseBlockTemporal',
    'BlockParts',
    'CrossFrameMessage',
    'FrameMean',
    'FrameTransformer',
    'NeighborFrameAttention',
    'ParallelTemporalAttention',
    'select_blocks',
]
