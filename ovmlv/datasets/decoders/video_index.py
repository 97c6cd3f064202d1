"""The frames of a video by the packets of its container, without decoding one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np

from ovmlv.datasets.video_failures import UnreadableVideoError

# These containers store the order of decoding alone, and FFmpeg guesses the times of frames that
# are shown in another order: wrongly so for MPEG-4 with B-frames in AVI.
_NO_PRESENTATION_TIMES = frozenset(['avi', 'h264', 'hevc', 'm4v', 'mpegvideo', 'mpeg'])
# A file is cut short if this share of its stated length, and more than this many frames, lack.
_MISSING_SHARE, _MISSING_FRAMES = 0.05, 2


@dataclass
class VideoIndex:
    """Frames in the order in which they are shown.

    Attributes:
        pts: Time stamps ``(N,)`` in units of the stream's time base, increasing.
        times: Begin and end in seconds ``(N, 2)``, from the start of the container.
        key_pts: Time stamps of the frames at which decoding can start, increasing.
        key_dts: Where to seek for those.
        reliable: Whether the time stamp of a decoded frame tells which frame it is. Otherwise the
            frames have to be counted from the first.
        stated_end: Seconds at which the header says that the video ends; None if it does not.
    """

    pts: np.ndarray
    times: np.ndarray
    key_pts: np.ndarray
    key_dts: list[int]
    reliable: bool
    stated_end: float | None = None

    @property
    def variable_rate(self) -> bool:
        """Whether a constant frame rate would put some frame off by more than half a frame."""
        return not is_even(self.times)

    @property
    def cut_short(self) -> str:
        """Why the file must have lost its end; empty if nothing says so."""
        if self.stated_end is None:
            return ''
        end, frame = self.times[-1, 1], np.median(np.diff(self.times, axis=1))
        missing = self.stated_end - end
        if missing <= max(_MISSING_SHARE * self.stated_end, _MISSING_FRAMES * frame):
            return ''
        return (
            f'cut short: its header states {self.stated_end:.2f} s, but its {len(self.pts)} '
            f'frames end at {end:.2f} s'
        )


def is_even(times: np.ndarray) -> bool:
    """Whether all frames ``(N, 2)`` begin within half a frame of where an even rate has them, and
    the last one lasts no longer than one and a half."""
    begins = times[:, 0]
    if len(begins) < 2:
        return True
    step = (begins[-1] - begins[0]) / (len(begins) - 1)
    off = np.abs(begins - begins[0] - step * np.arange(len(begins)))
    return bool(max(off.max(), times[-1, 1] - times[-1, 0] - step) <= step / 2)


def build_index(container: av.container.InputContainer, stream: av.VideoStream) -> VideoIndex:
    """Read all packets of a stream once.

    Raises:
        UnreadableVideoError: There is no frame, or no time for one and no frame rate either.
    """
    rows: list[tuple[int | None, int | None, int, bool]] = []
    for packet in container.demux(stream):
        # What lies before the start of an edit list is decoded, but not shown.
        if packet.size and not packet.is_discard:
            rows.append((packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe))
    if not rows:
        raise UnreadableVideoError('its video stream holds no frame')
    pts = [row[0] for row in rows]
    reliable = None not in pts and len(set(pts)) == len(pts)
    names = set(container.format.name.split(','))
    if names & _NO_PRESENTATION_TIMES and reliable:
        reliable = all(a < b for a, b in zip(pts, pts[1:]))
    base = float(stream.time_base)
    start = container.start_time / av.time_base if container.start_time else 0.0
    if not reliable:
        shown, last = _even_stamps(rows, stream), 0
    else:
        order = sorted(range(len(rows)), key=pts.__getitem__)
        shown, last = np.array([pts[i] for i in order], dtype=np.float64), rows[order[-1]][2]
    begins = shown * base - start
    typical = float(np.median(np.diff(begins))) if len(begins) > 1 else 0.0
    rate = float(stream.average_rate or 0)
    last_length = last * base or typical or (1 / rate if rate else 1.0)
    times = np.stack([begins, np.append(begins[1:], begins[-1] + last_length)], axis=1)
    keys = (
        sorted((row[0], row[1] if row[1] is not None else row[0]) for row in rows if row[3])
        if reliable
        else []
    )
    return VideoIndex(
        pts=shown.astype(np.int64) if reliable else np.arange(len(rows)),
        times=times,
        key_pts=np.array([key[0] for key in keys], dtype=np.int64),
        key_dts=[key[1] for key in keys],
        reliable=reliable,
        stated_end=_stated_end(container, stream, start),
    )


def _even_stamps(rows: Sequence[tuple], stream: av.VideoStream) -> np.ndarray:
    """Time stamps where those of the packets cannot be trusted: by the frame rate."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    if rate <= 0:
        raise UnreadableVideoError('neither its frames nor its header tell their times')
    first = stream.start_time or 0
    return first + np.arange(len(rows)) / (rate * float(stream.time_base))


def _stated_end(
    container: av.container.InputContainer, stream: av.VideoStream, start: float
) -> float | None:
    """Where the header says that the stream ends, in seconds from the start of the container."""
    if stream.duration:
        begin = (stream.start_time or 0) * float(stream.time_base) - start
        return begin + stream.duration * float(stream.time_base)
    # Matroska states one length for all streams, from 0 or from the start. Sound may go on after
    # the last picture.
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base - start
    return None
