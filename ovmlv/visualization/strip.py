"""Some frames of a video, spread over its length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ovmlv.datasets.decoders import ArrayReader, open_video
from ovmlv.datasets.video_failures import READ_ERRORS, describe_failure
from ovmlv.errors import ConfigError, DataError

#: Pixels of full frames that are in memory at once: 24 frames of 4K would be 600 MB.
_PIXELS = 2**24


@dataclass(frozen=True, eq=False)
class Strip:
    """Frames of a video with their times.

    Attributes:
        pictures: RGB uint8 ``(T, H, W, 3)``.
        times: Begin and end of each in seconds ``(T, 2)``.
    """

    pictures: np.ndarray
    times: np.ndarray


def read_strip(
    video: str | Path | np.ndarray, num_frames: int, height: int | None = None, fps: float = 1.0
) -> Strip:
    """Decode frames from the middles of equal parts of a video.

    Args:
        video: Path of a video file, or its frames uint8 ``(T, H, W, 3)``.
        num_frames: Number of frames; there are fewer if the video has no more.
        height: Largest height; higher frames are made smaller.
        fps: Frames a second of an array.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The video cannot be decoded.
    """
    if num_frames < 1:
        raise ConfigError(f'num_frames={num_frames} must be at least 1')
    if not isinstance(video, np.ndarray) and not Path(video).is_file():
        raise FileNotFoundError(f'video {video} not found; give the path of a video file')
    try:
        reader = (
            ArrayReader(video, fps) if isinstance(video, np.ndarray) else open_video(str(video))
        )
        try:
            begins, ends = reader.times[:, 0], reader.times[:, 1]
            count = min(num_frames, len(reader))
            wanted = begins[0] + (ends[-1] - begins[0]) * (np.arange(count) + 0.5) / count
            chosen = np.searchsorted(begins, wanted, side='right').clip(min=1) - 1
            parts: list[np.ndarray] = []
            start, step = 0, 1
            while start < count:
                frames = np.stack(reader.get_frames(chosen[start : start + step]))
                start += len(frames)
                step = max(1, _PIXELS // (frames.shape[1] * frames.shape[2]))
                parts.append(frames if height is None else shrink(frames, height))
        finally:
            reader.close()
    except READ_ERRORS as error:
        raise DataError(
            f'video {video} cannot be read ({describe_failure(error)}); repair or remove it'
        ) from None
    return Strip(np.concatenate(parts), reader.times[chosen])


def shrink(frames: np.ndarray, height: int) -> np.ndarray:
    """Frames ``(T, H, W, 3)`` of at most a height."""
    if frames.shape[1] <= height:
        return frames
    size = (max(1, round(frames.shape[2] * height / frames.shape[1])), height)
    resize = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(f).resize(size, resize)) for f in frames])
