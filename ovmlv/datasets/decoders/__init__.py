"""Video files to frames, each frame at the time that its container states."""

from .array_reader import ArrayReader
from .base import BaseReader
from .decord_reader import DecordReader
from .open_video import READERS, check_installed, open_video
from .pyav_reader import PyAVReader
from .torchcodec_reader import TorchCodecReader
from .video_index import VideoIndex

__all__ = [
    'READERS',
    'ArrayReader',
    'BaseReader',
    'DecordReader',
    'PyAVReader',
    'TorchCodecReader',
    'VideoIndex',
    'check_installed',
    'open_video',
]
