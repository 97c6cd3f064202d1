"""Frames of a video file, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import DataError

from ..containers import (
    UnreadableVideoError,
    decode_packets,
    is_b_frame,
    open_container,
    reach_back,
    rgb_of,
    set_threads,
)


def read_frames(path: str | Path, num_frames: int, num_clips: int = 1) -> np.ndarray:
    """Frames spread evenly over a video, as ``SampleSegmentFrames`` takes them in test mode.

    The video is decoded twice: once for the times of its frames, which containers may state
    wrongly, and once for the pictures. Frames before the first key frame are left out.

    Args:
        path: Video file.
        num_frames: Number of frames of a clip.
        num_clips: Number of clips; they interleave.

    Returns:
        RGB uint8 ``(num_clips, num_frames, H, W, 3)``.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The video cannot be decoded, or one of the frames only with errors.
        DependencyError: PyAV is not installed.
    """
    try:
        lost: list[tuple[int, str]] = []
        rows = [
            (_time(frame, i), damage, key, is_b_frame(frame))
            for i, (frame, damage, key) in enumerate(_decode(path, lost))
        ]
        first = next((i for i, row in enumerate(rows) if row[2]), 0)
        if not rows:
            raise UnreadableVideoError('no frame could be decoded')
        kept = rows[first:]
        times = [row[0] for row in kept]
        missing = [(count - first, reason) for count, reason in lost]
        damage = reach_back([row[1] for row in kept], [row[3] for row in kept], missing)
        # Where times are dealt out in another order than frames are shown, they are right as a set.
        wanted = choose_frames(np.sort(times), num_frames, num_clips)
        for i in np.unique(wanted).tolist():
            if damage[i]:
                raise UnreadableVideoError(f'damaged: {damage[i]}, so frame {i} is no good')
        pictures = _pictures(path, first, set(wanted.ravel().tolist()))
    except UnreadableVideoError as error:
        raise DataError(f'video {path} cannot be read ({error}); repair or remove it') from None
    return np.stack([pictures[i] for i in wanted.ravel()]).reshape(
        *wanted.shape, *pictures[int(wanted.max())].shape
    )


def choose_frames(times: np.ndarray, num_frames: int, num_clips: int = 1) -> np.ndarray:
    """Numbers of the frames to take, ``(num_clips, num_frames)``.

    Args:
        times: Begin of each frame in seconds, ascending.
        num_frames: Number of equal parts of the video, each of which gives one frame.
        num_clips: Number of evenly spaced places in a part; one clip takes the middles.
    """
    total = len(times)
    inside = (np.arange(num_clips)[:, None] + 0.5) / num_clips
    parts = (np.arange(num_frames) + inside) / num_frames
    step = (times[-1] - times[0]) / max(total - 1, 1)
    if np.abs(times - times[0] - step * np.arange(total)).max() <= step / 2:
        return np.minimum((parts * total).astype(np.int64), total - 1)
    at = times[0] + parts * (times[-1] + step - times[0])
    return np.clip(np.searchsorted(times, at, side='right') - 1, 0, total - 1)


def _pictures(path: str | Path, first: int, wanted: set[int]) -> dict[int, np.ndarray]:
    pictures: dict[int, np.ndarray] = {}
    for i, row in enumerate(_decode(path), -first):
        if i in wanted:
            pictures[i] = _upright(row.frame)
            if len(pictures) == len(wanted):
                break
    sizes = sorted({'x'.join(map(str, p.shape[1::-1])) for p in pictures.values()})
    if len(sizes) > 1:
        raise UnreadableVideoError(f'its frames change their size: {", ".join(sizes)}')
    return pictures


def _decode(path: str | Path, lost: list[tuple[int, str]] | None = None) -> Iterator[Any]:
    with open_container(path) as container:
        stream: Any = container.streams.best('video')
        if stream is None or stream.codec_context is None:
            raise UnreadableVideoError('it has no video stream')
        set_threads(stream, 0)
        yield from decode_packets(container.demux(stream), stream, lost)


def _time(frame: Any, index: int) -> float:
    return float(index) if frame.time is None else frame.time


def _upright(frame: Any) -> np.ndarray:
    """The picture, turned as phones record it; FFmpeg counts counter-clockwise, like NumPy.

    Mirror images, which some front cameras record, stay as they are stored.
    """
    return np.rot90(rgb_of(frame), round(frame.rotation / 90))
