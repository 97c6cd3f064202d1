"""The frames of a video and their times, by its packets if they can be trusted, else by decoding.

A plain decode from the first packet is the truth, but it is slow. Packets tell the same without
decoding if the container *stores* the time at which each is shown, each holds one picture, and
there is no sign of another order. The stream decides whether that is so, never the name of a
container.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import av
import numpy as np

from ovmlv.containers import reach_back
from ovmlv.errors import UnreadableVideoError

# A file is cut short if this share of its stated length, and more than this many frames, lack.
_MISSING_SHARE, _MISSING_FRAMES = 0.05, 2
# Of these a packet holds one picture, or it can be seen that it does not; so it is where each
# picture stands alone. MPEG-4 has packets with two pictures or none, MPEG-1 and 2 have fields.
_ONE_PICTURE = frozenset(['h264', 'hevc', 'vvc', 'av1', 'vp8', 'vp9'])
# Where a part of a picture is broken, even of a key frame, these decoders say nothing and leave in
# it what was there before: that of a plain decode, only if they decode from the first packet.
_FROM_START = frozenset(['ffv1', 'mpeg1video', 'mpeg2video'])


@dataclass
class VideoIndex:
    """Frames in the order in which they are shown.

    Attributes:
        pts: Time stamps ``(N,)`` in units of the stream's time base, not decreasing.
        times: Begin and end in seconds ``(N, 2)``, from the start of the container.
        key_pts: Time stamps of the frames at which decoding can start, increasing.
        key_dts: Decoding time stamps to seek to for these frames.
        reliable: Whether the time stamp of a decoded frame tells which frame it is. Otherwise the
            frames have to be counted from the first.
        until: ``(N,)`` for each frame, the last frame that was decoded before it, or the frame
            itself: a frame is good only if all frames up to there are.
        stated_end: Seconds at which the header says that the video ends; None if it does not.
        left_out: Number of frames that a plain decode gives before the first key frame; the frames
            that they are predicted from are not in the file.
        damage: Frame -> why it is not good; None if not all frames were decoded.
        doubt: Reason why the packets could not be trusted; empty if they could.
        backwards: Number of times that the stamps of decoded frames go backwards.
        sizes: Sizes of the decoded frames; empty if not all were decoded.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import PyAVReader
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     reader = PyAVReader(f'{root}/a.mp4')
        ...     reader.close()
        >>> index = reader.index
        >>> index.times[-1].tolist(), index.variable_rate, index.reliable
        ([1.25, 1.5], False, True)
    """

    pts: np.ndarray
    times: np.ndarray
    key_pts: np.ndarray
    key_dts: list[int]
    reliable: bool
    until: np.ndarray
    stated_end: float | None = None
    left_out: int = 0
    damage: dict[int, str] | None = None
    doubt: str = ''
    backwards: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)

    @property
    def variable_rate(self) -> bool:
        """Whether a constant frame rate would put some frame off by more than half a frame."""
        return not is_even(self.times)

    @property
    def cut_short(self) -> str:
        """Reason why the file must have lost its end; empty if there is none."""
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


class PacketRow(NamedTuple):
    """What a packet says about itself."""

    pts: int | None
    dts: int | None
    duration: int
    key: bool
    shown: bool
    pictureless: bool


class FrameRow(NamedTuple):
    """What a plain decode says about a frame."""

    pts: int | None
    duration: int
    key: bool
    b_frame: bool
    size: tuple[int, int]
    damage: str


def is_even(times: np.ndarray) -> bool:
    """Whether all frames ``(N, 2)`` begin within half a frame of their times at an even rate, and
    the last one lasts no longer than one and a half.
    """
    begins = times[:, 0]
    if len(begins) < 2:
        return True
    step = (begins[-1] - begins[0]) / (len(begins) - 1)
    off = np.abs(begins - begins[0] - step * np.arange(len(begins)))
    return bool(max(off.max(), times[-1, 1] - times[-1, 0] - step) <= step / 2)


def read_packets(container: av.container.InputContainer, stream: av.VideoStream) -> list[PacketRow]:
    """Read all packets of a stream once.

    Raises:
        UnreadableVideoError: There is no packet.
    """
    codec = stream.codec_context.codec
    rows = [
        PacketRow(
            packet.pts,
            packet.dts,
            packet.duration or 0,
            packet.is_keyframe or codec.intra_only,
            # What lies before the start of an edit list is decoded, but not shown.
            not packet.is_discard,
            _is_pictureless(packet, codec.canonical_name),
        )
        for packet in container.demux(stream)
        if packet.size
    ]
    if not any(row.shown for row in rows):
        raise UnreadableVideoError('its video stream holds no frame')
    return rows


def index_by_packets(
    rows: Sequence[PacketRow],
    container: av.container.InputContainer,
    stream: av.VideoStream,
) -> VideoIndex | str:
    """The index without decoding, or the reason why the packets cannot be trusted.

    Args:
        rows: Packets with the values that the container stores; nothing is filled in.
        container: The container, which gives its start.
        stream: Its stream.

    A container that stores the times of decoding in place of those of showing is not noticed here;
    the reader notices it by the first frame that comes out in another order.
    """
    codec = stream.codec_context.codec
    pts = [row.pts for row in rows if row.pts is not None]
    if not (codec.intra_only or codec.canonical_name in _ONE_PICTURE):
        return f'{codec.canonical_name} may have packets with no picture or two'
    if any(row.pictureless for row in rows):
        return 'some packets hold no picture to show'
    if len(pts) < len(rows) or len(set(pts)) < len(pts):
        return 'the file does not store when each frame is shown'
    if not rows[0].key or pts[0] > min(pts):
        return 'it starts inside a group of pictures'
    latest = pts[0]
    for stamp, row in zip(pts, rows, strict=True):
        if row.key and stamp < latest:
            return 'its times go back'
        latest = max(latest, stamp)
    shown = sorted(
        ((stamp, row.duration) for stamp, row in zip(pts, rows, strict=True) if row.shown),
        key=lambda entry: entry[0],
    )
    stamps = np.array([stamp for stamp, _ in shown], dtype=np.int64)
    keys = [(stamp, row.dts) for stamp, row in zip(pts, rows, strict=True) if row.key]
    return VideoIndex(
        pts=stamps,
        times=_times(stamps, shown[-1][1], container, stream),
        key_pts=np.array([stamp for stamp, _ in keys], dtype=np.int64),
        key_dts=[stamp if dts is None else dts for stamp, dts in keys],
        reliable=True,
        until=_until(np.array([s for s, row in zip(pts, rows, strict=True) if row.shown]), stamps),
        stated_end=_stated_end(container, stream),
    )


def index_by_frames(
    frames: Sequence[FrameRow],
    packets: Sequence[PacketRow],
    container: av.container.InputContainer,
    stream: av.VideoStream,
    lost: Sequence[tuple[int, str]] = (),
) -> VideoIndex:
    """The index by a plain decode.

    Args:
        frames: All frames that come out, in their order.
        packets: Packets with the values that the container stores; nothing is filled in.
        container: The container, which gives its start.
        stream: Its stream.
        lost: Frames that never came out, see :func:`ovmlv.containers.decode_packets`.

    Raises:
        UnreadableVideoError: No frame came out, or there is neither a time nor a frame rate.
    """
    # A damaged key frame counts: what follows it is damaged, which is for the caller to hear of. A
    # codec that knows no key frames, as with gradual refresh, leaves nothing to go by.
    keys = [i for i, row in enumerate(frames) if row.key]
    left_out = keys[0] if keys else 0
    kept = frames[left_out:]
    if not kept:
        raise UnreadableVideoError('no frame could be decoded')
    found = [row.pts for row in kept if row.pts is not None]
    known = len(found) == len(kept)
    backwards = sum(b < a for a, b in itertools.pairwise(found)) if known else 0
    ordered = known and not backwards
    if ordered:
        stamps = np.array(found, dtype=np.int64)
    elif known:
        # They are those of the packets in the order of decoding: right, but dealt out wrongly.
        stamps = np.sort(np.array(found, dtype=np.int64))
    else:
        stamps = _even_stamps(len(kept), stream)
    if known and not left_out and all(row.pts is None for row in packets):
        # All times are guesses from the order of decoding, late by what the decoder holds back.
        shown = stamps - stamps[0] + (stream.start_time or 0)
    else:
        shown = stamps
    missing = [(count - left_out, reason) for count, reason in lost]
    damage = reach_back([row.damage for row in kept], [row.b_frame for row in kept], missing)
    # Only where decoding starts at a frame whose time is stored can frames be told after a seek.
    stored: dict[int | None, PacketRow] = {
        row.pts: row for row in packets if row.key and row.pts is not None
    }
    if not stream.codec_context.has_b_frames:
        stored.update((row.dts, row) for row in packets if row.key and row.pts is None)
    seekable = ordered and stream.codec_context.codec.canonical_name not in _FROM_START
    goals = [stored[row.pts] for row in kept if row.key and row.pts in stored] if seekable else []
    reliable = ordered and len(set(found)) == len(found)
    return VideoIndex(
        pts=stamps,
        times=_times(shown, kept[-1].duration, container, stream),
        key_pts=np.array([r.dts if r.pts is None else r.pts for r in goals], dtype=np.int64),
        key_dts=[cast(int, r.pts if r.dts is None else r.dts) for r in goals],
        reliable=reliable,
        until=np.arange(len(kept)),
        stated_end=_stated_end(container, stream),
        left_out=left_out,
        damage={i: reason for i, reason in enumerate(damage) if reason},
        backwards=backwards,
        sizes={row.size for row in kept},
    )


def increasing(order: Sequence[int]) -> list[int]:
    """The values, with -1 in place of each that does not increase from those before it."""
    kept, last = [], -1
    for place in order:
        kept.append(place if place > last else -1)
        last = max(last, place)
    return kept


def spread_damage(rows: dict[int, FrameRow], index: VideoIndex) -> dict[int, str]:
    """Damage of each frame; frames that never came out damage others as well."""
    found, reason = [], ''
    for i, time in enumerate(index.times[:, 0]):
        row = rows.get(i)
        if row is None:
            reason = reason or f'the frame at {time:.2f} s cannot be decoded'
        elif row.damage:
            reason = reason or row.damage
        elif row.key:
            reason = ''
        found.append(reason)
    if not index.reliable:
        found = reach_back(found, [i in rows and rows[i].b_frame for i in range(len(found))])
    damage: dict[int, str] = {}
    for i, last in enumerate(index.until.tolist()):
        reason = next(filter(None, found[i : last + 1]), '')
        if reason:
            damage[i] = reason
    return damage


def _until(decoded: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """See :attr:`VideoIndex.until`; time stamps in the orders of decoding and of showing."""
    places = np.searchsorted(shown, decoded)
    until = np.empty(len(places), dtype=np.int64)
    until[places] = np.maximum.accumulate(places)
    return until


def _is_pictureless(packet: av.Packet, codec: str) -> bool:
    """Whether a packet of VP8 or VP9 holds a frame that is never shown."""
    if codec not in ('vp8', 'vp9'):
        return False
    data = bytes(memoryview(packet)[:1])
    if codec == 'vp8':
        return not data[0] & 0x10
    last = bytes(memoryview(packet)[-1:])[0]
    if last & 0xE0 == 0xC0:  # several frames, of which the last is shown
        return False
    bits = data[0] << 1 if data[0] & 0x30 == 0x30 else data[0]  # profile 3 has one bit more
    repeats, shows = bits & 0x08, bits & 0x02
    return not repeats and not shows


def _times(
    stamps: np.ndarray,
    last: int,
    container: av.container.InputContainer,
    stream: av.VideoStream,
) -> np.ndarray:
    base, rate = _base(stream), float(stream.average_rate or 0)
    begins = stamps * base - _start(container)
    typical = float(np.median(np.diff(begins))) if len(begins) > 1 else 0.0
    length = last * base or typical or (1 / rate if rate else 1.0)
    return np.stack([begins, np.append(begins[1:], begins[-1] + length)], axis=1)


def _base(stream: av.VideoStream) -> float:
    """Length of a step of the time stamps, in seconds."""
    assert stream.time_base is not None  # FFmpeg sets it for all that it demuxes
    return float(stream.time_base)


def _start(container: av.container.InputContainer) -> float:
    return container.start_time / av.time_base if container.start_time else 0.0


def _even_stamps(count: int, stream: av.VideoStream) -> np.ndarray:
    """Time stamps by the frame rate, if decoded frames have none."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    if rate <= 0:
        raise UnreadableVideoError('neither its frames nor its header tell their times')
    first = stream.start_time or 0
    return first + np.arange(count) / (rate * _base(stream))


def _stated_end(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """The end of the stream as the header says, in seconds from the start of the container."""
    start = _start(container)
    if stream.duration:
        begin = (stream.start_time or 0) * _base(stream) - start
        return begin + stream.duration * _base(stream)
    # Matroska states one length for all streams, from 0 or from the start. Sound may go on after
    # the last picture.
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base - start
    return None
