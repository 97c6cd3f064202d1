"""Video indices: videos encoded once and kept on disk, for labels of any later day."""

from ovmlv.compat import apply as _apply

_apply()

from .find_result import DuplicatePair, FindResult, Hit, SimilarVideo
from .parquet_file import write_parquet
from .query import Query
from .ray_engine import RayEngine
from .reports import AddReport, IndexStatus
from .shard import Shard
from .video_encoder_identity import VideoEncoderIdentity
from .video_index import VideoIndex

__all__ = [
    'AddReport',
    'DuplicatePair',
    'FindResult',
    'Hit',
    'IndexStatus',
    'Query',
    'RayEngine',
    'Shard',
    'SimilarVideo',
    'VideoEncoderIdentity',
    'VideoIndex',
    'write_parquet',
]
