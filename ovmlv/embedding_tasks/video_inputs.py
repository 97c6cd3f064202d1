"""The forms in which mteb and ``datasets`` give a video, as sources that the inferencer takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from ovmlv.apis.video_reader import VideoSource
from ovmlv.errors import DataError


@runtime_checkable
class FrameDecoder(Protocol):
    """What is used of torchcodec's ``VideoDecoder``, which mteb's data sets give."""

    metadata: Any

    def get_frames_at(self, indices: list[int]) -> Any:
        """Frames whose ``data`` is uint8 ``(N, C, H, W)``."""


def as_video_source(video: Any, num_frames: int) -> VideoSource:
    """A video or picture of a batch of mteb as a source of the inferencer.

    Args:
        video: A decoder, a path, frames ``(T, C, H, W)`` as a tensor or ``(T, H, W, C)`` as an
            array, a PIL picture, or a dict of ``bytes`` or ``path``.
        num_frames: Frames to take of a decoder; all other forms are sampled by the pipeline.

    Raises:
        DataError: It is none of these, or has no frames.
    """
    if isinstance(video, Mapping):
        if video.get('bytes') is not None:
            return video['bytes']
        video = video.get('path')
    if isinstance(video, (str, Path)):
        return Path(video)
    if isinstance(video, Tensor):
        return _channels_last(video.detach().cpu().numpy())
    if isinstance(video, np.ndarray):
        return video
    if isinstance(video, FrameDecoder):
        frames = video.get_frames_at(middle_frames(video.metadata.num_frames, num_frames))
        return _channels_last(frames.data.numpy())
    if type(video).__module__.startswith('PIL.'):
        return np.asarray(video.convert('RGB'))[None]
    raise DataError(
        f'an object of type {type(video).__name__} is no video; give a path, frames or a decoder'
    )


def middle_frames(total: int | None, count: int) -> list[int]:
    """Indices of the frames in the middle of ``count`` equal parts, as the test pipeline takes.

    Raises:
        DataError: The number of frames is unknown, or there are none.

    Examples:
        >>> middle_frames(16, 4)
        [2, 6, 10, 14]
    """
    if not total:
        raise DataError('a video tells no number of frames; write it again, by ffmpeg for instance')
    return [min(total - 1, int((i + 0.5) * total / count)) for i in range(count)]


def _channels_last(frames: np.ndarray) -> np.ndarray:
    """Frames ``(T, C, H, W)``, or ``(T, H, W, C)`` as they are."""
    if frames.ndim == 4 and frames.shape[1] == 3 and frames.shape[-1] != 3:
        return frames.transpose(0, 2, 3, 1)
    return frames
