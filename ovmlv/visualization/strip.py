"""Some frames of a video, spread over its length."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovmlv.datasets.decoders import open_video
from ovmlv.datasets.video_failures import READ_ERRORS, describe
from ovmlv.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Strip:
    """Frames of a video with their times.

    Attributes:
        pictures: RGB uint8 ``(T, H, W, 3)``.
        times: When each is shown, in seconds ``(T,)``.
        duration: Seconds of the video.
    """

    pictures: np.ndarray
    times: np.ndarray
    duration: float


def read_strip(video: str | Path, num_frames: int) -> Strip:
    """Decode frames from the middles of equal parts of a video.

    Args:
        video: Path of a video file.
        num_frames: T; fewer where the video has no more.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It cannot be decoded.
    """
    if num_frames < 1:
        raise ConfigError(f'num_frames={num_frames} must be at least 1')
    if not os.path.isfile(video):
        raise FileNotFoundError(f'video {video} not found; give the path of a video file')
    try:
        reader = open_video(str(video))
        try:
            begins, ends = reader.times[:, 0], reader.times[:, 1]
            start, duration = float(begins[0]), float(ends[-1] - begins[0])
            count = min(num_frames, len(reader))
            wanted = start + duration * (np.arange(count) + 0.5) / count
            chosen = np.searchsorted(begins, wanted, side='right') - 1
            pictures = np.stack(reader.get_frames(chosen))
        finally:
            reader.close()
    except READ_ERRORS as error:
        raise DataError(
            f'video {video} cannot be read ({describe(error)}); repair or remove it'
        ) from None
    return Strip(pictures, begins[chosen] - start, duration)
