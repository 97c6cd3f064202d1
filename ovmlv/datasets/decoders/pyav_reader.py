"""Frames by PyAV, which brings FFmpeg along."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import ConfigError

from .base import BaseReader
from .upright import upright
from .video_index import VideoIndex, build_index

# Decoders that look at ``skip_frame`` anew for each packet. Others, such as dav1d, do it once.
_CAN_SKIP = frozenset(['h264', 'hevc', 'mpeg4'])
# From 17 on PyAV converts colours in as many threads as there are cores unless told otherwise. For
# small frames in the workers of a data loader, waiting for them takes longer than all the rest.
_CONVERTS_IN_THREADS = int(av.__version__.split('.')[0]) >= 17


class PyAVReader(BaseReader):
    """A video, of which wanted frames alone are decoded, found by their time stamps.

    It follows what the container states: rotation, edit lists, and the time of each frame, whether
    or not the rate is constant. Between wanted frames it seeks to key frames and leaves out frames
    that no other depends on. Where time stamps are missing or belong to no frame (MPEG-4 with
    B-frames in AVI), frames are counted from the first.

    Args:
        source: Path, or what the file holds.
        num_threads: Threads of the decoder; the workers of a data loader are parallel already.
        stream: Index of the stream in the file; by default FFmpeg's choice.
        truncated: ``refuse`` files whose end is missing, or ``use`` what is left.

    Raises:
        UnreadableVideoError: With the reason.
        FileNotFoundError: There is no such file.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        num_threads: int = 1,
        stream: int | None = None,
        truncated: str = 'refuse',
    ) -> None:
        if truncated not in ('refuse', 'use'):
            raise ConfigError(f"truncated={truncated!r} is not 'refuse' or 'use'")
        self.source, self.num_threads, self.wanted_stream = source, num_threads, stream
        if not isinstance(source, bytes) and not Path(source).is_file():
            raise FileNotFoundError(f'video {source} not found; give the path of a video file')
        self.container: av.container.InputContainer | None = None
        self.converter = VideoReformatter()
        self.converting = {'threads': num_threads} if _CONVERTS_IN_THREADS else {}
        with _translated():
            self.reopen()
            self.index: VideoIndex = build_index(self.container, self.stream)
            if not self.index.reliable:
                self._count()
        self.times = self.index.times
        if truncated == 'refuse' and self.index.cut_short:
            self.close()
            raise UnreadableVideoError(self.index.cut_short)

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        indices = np.asarray(indices, dtype=np.int64)
        outside = indices[(indices < 0) | (indices >= len(self))]
        if len(outside):
            raise UnreadableVideoError(f'frame {outside[0]} asked for, but it has {len(self)}')
        wanted = np.unique(indices)
        with _translated():
            found = self._by_time(wanted) if self.index.reliable else self._by_count(wanted)
        if len({frame.shape for frame in found.values()}) > 1:
            raise UnreadableVideoError(
                'its frames change their size: '
                + ', '.join(sorted({'x'.join(map(str, f.shape[1::-1])) for f in found.values()}))
            )
        return [found[i] for i in indices.tolist()]

    def close(self) -> None:
        """Close the file."""
        if self.container is not None:
            self.container.close()
        self.container = self.stream = None

    def reopen(self) -> None:
        """Open the file, again where it is open, and choose the stream."""
        self.close()
        held = isinstance(self.source, bytes)
        # Without the protocol, a colon in the name of a file would be taken for one.
        source = io.BytesIO(self.source) if held else f'file:{self.source}'
        # Titles and such may be in any encoding.
        self.container = av.open(source, metadata_errors='replace')
        videos = self.container.streams.video
        if self.wanted_stream is not None:
            chosen = [s for s in videos if s.index == self.wanted_stream]
            if not chosen:
                raise UnreadableVideoError(
                    f'it has no video stream {self.wanted_stream}, but {[s.index for s in videos]}'
                )
            self.stream = chosen[0]
        else:
            self.stream = self.container.streams.best('video')
        if self.stream is None:
            kinds = sorted({s.type for s in self.container.streams})
            raise UnreadableVideoError(f'it has no video stream ({", ".join(kinds) or "nothing"})')
        if self.stream.disposition & av.stream.Disposition.attached_pic:
            raise UnreadableVideoError('its only picture is the cover of a sound file')
        if self.stream.codec_context is None:
            raise UnreadableVideoError('its codec is unknown')
        self.stream.codec_context.thread_count = self.num_threads
        if self.num_threads != 1:
            self.stream.thread_type = 'AUTO'

    def _count(self) -> None:
        """Find the real number of frames by decoding them all.

        Packets of these formats may hold no picture, or two.
        """
        self.reopen()
        count = sum(1 for _ in self.container.decode(self.stream))
        index = self.index
        if not count:
            raise UnreadableVideoError('no frame could be decoded')
        if count != len(index.pts):
            step = float(np.median(np.diff(index.times, axis=1)))
            begins = index.times[0, 0] + step * np.arange(count)
            index.times = np.stack([begins, begins + step], axis=1)
            index.pts = np.arange(count)

    def _by_count(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        self.reopen()
        left, found = set(wanted.tolist()), {}
        for i, frame in enumerate(self.container.decode(self.stream)):
            if i in left:
                found[i] = self._picture(frame)
                left.discard(i)
                if not left:
                    return found
        raise UnreadableVideoError(f'damaged: frame {min(left)} cannot be decoded')

    def _by_time(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        """Decode from the key frame before each wanted frame, going on where that is nearer."""
        index = self.index
        number = {int(index.pts[i]): int(i) for i in wanted}
        keys = np.searchsorted(index.key_pts, index.pts[wanted], side='right') - 1
        found: dict[int, np.ndarray] = {}
        for key in np.unique(keys):
            group = {int(index.pts[i]) for i in wanted[keys == key]}
            frames = self._decode_from(int(key), group) if key >= 0 else {}
            if len(frames) < len(group):
                # The container's own index may lead behind the key frame.
                frames.update(self._decode_from(None, group - set(frames)))
            found.update((number[pts], frame) for pts, frame in frames.items())
        lacking = sorted(set(number.values()) - set(found))
        if lacking:
            at = index.times[lacking[0], 0]
            raise UnreadableVideoError(
                f'damaged: frame {lacking[0]} of {len(self)} (at {at:.2f} s) cannot be decoded'
            )
        return found

    def _decode_from(self, key: int | None, group: set[int]) -> dict[int, np.ndarray]:
        """The frames with these time stamps, as far as they come after a key frame (None: from
        the first)."""
        packets = self._seek(key)
        context, left, found = self.stream.codec_context, set(group), {}
        can_skip = context.name in _CAN_SKIP
        for packet in packets:
            if can_skip:
                # Frames that no other needs are decoded only where they are wanted themselves.
                context.skip_frame = 'DEFAULT' if packet.pts in left else 'NONREF'
            try:
                frames = packet.decode()
            except FFmpegError as error:
                raise UnreadableVideoError(
                    f'damaged: decoding fails near {self._seconds(packet):.2f} s ({error.strerror})'
                ) from None
            for frame in frames:
                if frame.pts in left:
                    found[frame.pts] = self._picture(frame)
                    left.discard(frame.pts)
            if not left:
                break
        return found

    def _seek(self, key: int | None) -> Iterator[av.Packet]:
        """Packets from a key frame on, or from the first if it cannot be gone to."""
        # Demuxers differ, also between versions of FFmpeg, in which of the stamps they go by.
        stamps = [] if key is None else [self.index.key_pts[key], self.index.key_dts[key]]
        for stamp in stamps:
            try:
                self.container.seek(int(stamp), stream=self.stream)
            except FFmpegError:  # no index, or a source that cannot go back
                continue
            packets = self.container.demux(self.stream)
            first = next(packets, None)
            if first is not None and first.pts is not None and first.pts <= self.index.key_pts[key]:
                return itertools.chain([first], packets)
        self.reopen()
        return self.container.demux(self.stream)

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.is_corrupt:
            raise UnreadableVideoError(f'damaged: the frame at {frame.time or 0:.2f} s has errors')
        # One converter for all frames: to make it takes longer than to use it.
        picture = self.converter.reformat(frame, format='rgb24', **self.converting).to_ndarray()
        return upright(picture, frame.side_data.get('DISPLAYMATRIX'))

    def _seconds(self, packet: av.Packet) -> float:
        return float((packet.pts or packet.dts or 0) * self.stream.time_base)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """FFmpeg's errors as ours."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        raise UnreadableVideoError(f'no readable video ({error.strerror})') from None
