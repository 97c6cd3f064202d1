"""Frames of a video file, by PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import DataError, DependencyError


def read_frames(path: str | Path, num_frames: int, num_clips: int = 1) -> np.ndarray:
    """Frames spread evenly over a video, as ``SampleSegmentFrames`` takes them in test mode.

    The video is decoded twice: once for the times of its frames, which containers may state
    wrongly, and once for the pictures.

    Args:
        path: Video file.
        num_frames: Frames of a clip.
        num_clips: Clips; they interleave.

    Returns:
        RGB uint8 ``(num_clips, num_frames, H, W, 3)``.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It cannot be decoded.
        DependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DependencyError(
            'reading video files needs PyAV; pip install av, or pass frames'
        ) from error
    if not Path(path).is_file():
        raise FileNotFoundError(f'video {path} not found; give the path of a video file')
    try:
        times = np.array([_time(frame, i) for i, frame in enumerate(_decode(av, path))])
        if not len(times):
            raise DataError(f'video {path}: no frame could be decoded; repair or remove it')
        wanted = choose_frames(times, num_frames, num_clips)
        pictures = {}
        last = int(wanted.max())
        needed = set(wanted.ravel().tolist())
        for i, frame in enumerate(_decode(av, path)):
            if i in needed:
                pictures[i] = _upright(frame)
            if i == last:
                break
    except av.error.FFmpegError as error:
        raise DataError(
            f'video {path} cannot be read ({error.strerror}); repair or remove it'
        ) from None
    return np.stack([pictures[i] for i in wanted.ravel()]).reshape(
        *wanted.shape, *pictures[last].shape
    )


def choose_frames(times: np.ndarray, num_frames: int, num_clips: int = 1) -> np.ndarray:
    """Which frames to take, ``(num_clips, num_frames)``.

    Args:
        times: When each frame begins, in seconds, ascending.
        num_frames: Equal parts of the video, each of which gives one frame.
        num_clips: Evenly spaced places in a part; one clip takes the middles.
    """
    total = len(times)
    inside = (np.arange(num_clips)[:, None] + 0.5) / num_clips
    parts = (np.arange(num_frames) + inside) / num_frames
    step = (times[-1] - times[0]) / max(total - 1, 1)
    if np.abs(times - times[0] - step * np.arange(total)).max() <= step / 2:
        return np.minimum((parts * total).astype(np.int64), total - 1)
    at = times[0] + parts * (times[-1] + step - times[0])
    return np.clip(np.searchsorted(times, at, side='right') - 1, 0, total - 1)


def _decode(av: Any, path: str | Path) -> Any:
    with av.open(f'file:{path}') as container:  # without the protocol, a colon would name one
        if not container.streams.video:
            raise DataError(f'video {path} has no video stream; remove it')
        stream = container.streams.best('video')
        stream.thread_type = 'AUTO'
        yield from container.decode(stream)


def _time(frame: Any, index: int) -> float:
    return float(index) if frame.time is None else frame.time


def _upright(frame: Any) -> np.ndarray:
    """The picture turned as phones note it; FFmpeg counts counter-clockwise, like NumPy.

    Mirror images, which some front cameras note, stay as they are stored.
    """
    return np.rot90(frame.to_ndarray(format='rgb24'), round(frame.rotation / 90))
