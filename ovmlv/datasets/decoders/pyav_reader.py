"""Frames by PyAV, which includes FFmpeg."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from mmengine.logging import MMLogger

from ovmlv.containers import (
    choose_stream,
    converting,
    decode_packets,
    is_b_frame,
    open_container,
    set_threads,
    sparing,
    translated,
)
from ovmlv.errors import ConfigError, UnreadableVideoError

from .base import BaseReader
from .upright import upright
from .video_index import (
    FrameRow,
    VideoIndex,
    increasing,
    index_by_frames,
    index_by_packets,
    read_packets,
    spread_damage,
)

# Packets as the container stores them: by default FFmpeg fills in times that it guesses.
_AS_STORED = {'fflags': '+nofillin-genpts', 'analyzeduration': '1', 'fpsprobesize': '0'}
_CHOICES = dict(
    truncated=('refuse', 'use'),
    damaged=('refuse', 'skip'),
    resized=('refuse', 'scale'),
    unreferenced=('decode', 'skip'),
)
# Where a partition of a picture is broken, this decoder may leave in it what its memory held, and
# say nothing. A new decoder begins with empty memory, whatever was asked before.
_LEAVES_GAPS = frozenset(['vp8'])
_LOGGED: set[tuple[str, str]] = set()


class PyAVReader(BaseReader):
    """A video of which only wanted frames are decoded, if that is sure to give the right frames.

    The order of frames, their times and their pictures are those of a plain decode from the first
    packet, whatever the rotation, the edit lists, the frame rate, the B-frames and the container.
    If the packets tell the frames (see :mod:`.video_index`), decoding starts at the key frame
    before a wanted frame, and each frame that comes out must be the next one in the index. In all
    other cases, the file is decoded once when it is opened. If its times are of no use, it is
    decoded again from the first packet to the last wanted frame.

    If a recording starts inside a group of pictures, the frames before its first key frame are left
    out. A frame is damaged if any frame from its key frame to it has errors; see
    :func:`ovmlv.containers.decode_packets`. As soon as damage is found, the whole file is decoded
    once, so that the answer for a frame does not depend on what else is asked for.

    Args:
        source: Path, or content of the file.
        num_threads: Threads of the decoder; the workers of a data loader are parallel already.
        stream: Index of the stream in the file; by default FFmpeg's choice.
        truncated: Whether to ``refuse`` files whose end is missing, or to ``use`` what is left.
        damaged: Whether to ``refuse`` damaged frames, or to ``skip`` them. If they are skipped, the
            video has only the good frames, and the whole file is decoded when it is opened.
        resized: Whether to ``refuse`` frames of several sizes, or to ``scale`` all to the size of
            the first.
        unreferenced: Whether to ``decode`` frames that are not wanted and that no other frame is
            predicted from, or to ``skip`` them, which takes a third less time for most H.264. The
            frames that are wanted are the same, but damage in a skipped frame is not told.

    Raises:
        UnreadableVideoError: The video cannot be used; the message has the reason.
        FileNotFoundError: There is no such file.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     reader = PyAVReader(f'{root}/a.mp4')
        ...     len(reader), reader.rate, [frame.shape for frame in reader.get_frames([5])]
        ...     reader.close()
        (6, 4.0, [(32, 48, 3)])
    """

    def __init__(
        self,
        source: str | Path | bytes,
        num_threads: int = 1,
        stream: int | None = None,
        truncated: str = 'refuse',
        damaged: str = 'refuse',
        resized: str = 'refuse',
        unreferenced: str = 'decode',
    ) -> None:
        choices = dict(
            truncated=truncated, damaged=damaged, resized=resized, unreferenced=unreferenced
        )
        for name, value in choices.items():
            if value not in _CHOICES[name]:
                raise ConfigError(
                    f'{name}={value!r} is not {" or ".join(map(repr, _CHOICES[name]))}'
                )
        self.source, self.num_threads, self.wanted_stream = source, num_threads, stream
        self.skips_damage, self.resized = damaged == 'skip', resized
        self.skips_unreferenced = unreferenced == 'skip'
        # Open from `reopen` to `close`; None before and after.
        self.container: av.container.InputContainer = None  # type: ignore[assignment]
        self.stream: av.VideoStream = None  # type: ignore[assignment]
        self.converter = VideoReformatter()
        self.converting = converting(num_threads)
        self._first_size: tuple[int, int] | None = None
        #: Number of decoded frame -> number of frame, where all were decoded.
        self._order: list[int] | None = None
        try:
            with translated():
                self.index: VideoIndex = self._build_index()
                if damaged == 'skip' and self.index.damage is None:
                    self.survey()
            if truncated == 'refuse' and self.index.cut_short:
                raise UnreadableVideoError(self.index.cut_short)
            #: Frame of the index of each frame.
            self._kept = np.arange(len(self.index.times))
            if damaged == 'skip':
                self._skip_damaged()
            self.times = self.index.times[self._kept]
        except BaseException:
            self.close()
            raise

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        indices = self._kept[self.inside(indices)]
        wanted = np.unique(indices)
        with translated():
            found = self._read(wanted)
        if len({frame.shape for frame in found.values()}) > 1:
            sizes = sorted({'x'.join(map(str, f.shape[1::-1])) for f in found.values()})
            raise UnreadableVideoError(
                f"its frames change their size: {', '.join(sizes)}; set resized='scale'"
            )
        return [found[i] for i in indices.tolist()]

    def close(self) -> None:
        """Close the file."""
        if self.container is not None:
            self.container.close()
        self.container = self.stream = None  # type: ignore[assignment]

    def reopen(self) -> None:
        """Open the file, also if it is open already, and choose the stream."""
        self.close()
        self.container = open_container(self.source)
        self.stream = choose_stream(self.container, self.wanted_stream)
        set_threads(self.stream, self.num_threads)

    def decode_all(self) -> Iterator[tuple[int, av.VideoFrame, str]]:
        """A plain decode from the first packet: number, frame, and what is wrong with it.

        Frames before the first key frame are left out.
        """
        self.reopen()
        packets = self.container.demux(self.stream)
        decoded = decode_packets(packets, self.stream)
        for i, row in enumerate(itertools.islice(decoded, self.index.left_out, None)):
            yield i, row.frame, row.damage

    def survey(self) -> dict[int, str]:
        """Decode all once to learn which frames are damaged, and why."""
        index = self.index
        if index.damage is not None:
            return index.damage
        rows = self._decode_rows()
        found = [row.pts for row in rows]
        places = {int(pts): i for i, pts in enumerate(index.pts)}
        order = [-1 if pts is None else places.get(pts, -1) for pts in found]
        index.sizes = {row.size for row in rows}
        backwards = sum(b < a for a, b in itertools.pairwise(order))
        if any(row.damage for row in rows):
            order = increasing(order)
        elif backwards or -1 in order:
            if len(rows) != len(index.pts):
                raise UnreadableVideoError(
                    f'damaged: its packets tell of {len(index.pts)} frames, but {len(rows)} others '
                    'come out of the decoder'
                )
            order, index.reliable, index.backwards = list(range(len(rows))), False, backwards
        damage = spread_damage({i: row for i, row in zip(order, rows) if i >= 0}, index)
        index.damage, self._order = damage, order
        if damage and index.reliable:
            self._clear(damage)
        return damage

    def _clear(self, damage: dict[int, str]) -> None:
        """Clear the damage of frames that are good when decoding starts at a key frame."""
        index = self.index
        damaged = np.array(list(damage))
        keys = np.searchsorted(index.key_pts, index.pts[damaged], side='right') - 1
        for key in np.unique(keys[keys >= 0]).tolist():
            group = damaged[keys == key]
            last, reached = index.until[group].max(), -1
            for reached, _ in self._walk(key):
                if reached >= last:
                    break
            for i in group[index.until[group] <= reached].tolist():
                del damage[i]

    # --- opening ----------------------------------------------------------------------------------

    def _build_index(self) -> VideoIndex:
        self.reopen()
        if self.stream.codec_context.codec.reorder:
            with open_container(self.source, **_AS_STORED) as stored:
                packets = read_packets(stored, choose_stream(stored, self.wanted_stream))
        else:  # frames are shown as they are decoded, whether the time is stored or filled in
            packets = read_packets(self.container, self.stream)
        index = index_by_packets(packets, self.container, self.stream)
        if isinstance(index, VideoIndex):
            return index
        doubt = index
        self.reopen()
        lost: list[tuple[int, str]] = []
        rows = self._decode_rows(lost)
        index = index_by_frames(rows, packets, self.container, self.stream, lost)
        index.doubt = doubt
        if index.left_out:
            self._log(
                f'starts inside a group of pictures: {index.left_out} frames before its first key '
                'frame are left out'
            )
        elif lost and not lost[0][0]:
            self._log(f'what comes before its first key frame is left out: {lost[0][1]}')
        self._order = list(range(len(index.pts)))
        return index

    def _decode_rows(self, lost: list[tuple[int, str]] | None = None) -> list[FrameRow]:
        self.reopen()
        packets = self.container.demux(self.stream)
        return [
            FrameRow(
                f.pts,
                getattr(f, 'duration', 0) or 0,
                key,
                is_b_frame(f),
                (f.width, f.height),
                damage,
            )
            for f, damage, key in decode_packets(packets, self.stream, lost)
        ]

    def _skip_damaged(self) -> None:
        damage = self.survey()
        self._kept = np.array([i for i in range(len(self.index.times)) if i not in damage], int)
        if not len(self._kept):
            raise UnreadableVideoError(f'damaged: no frame is good; {next(iter(damage.values()))}')
        if damage:
            count = len(self.index.times)
            self._log(f'{len(damage)} of {count} frames are damaged and left out')

    def _log(self, what: str) -> None:
        name = 'a video in memory' if isinstance(self.source, bytes) else str(self.source)
        if (name, what) not in _LOGGED:  # a training opens it again and again
            _LOGGED.add((name, what))
            MMLogger.get_current_instance().warning(f'{name}: {what}')

    # --- reading ----------------------------------------------------------------------------------

    def _read(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        """Pictures of the frames of the index."""
        index = self.index
        self._refuse(wanted)
        found: dict[int, np.ndarray] = {}
        if index.reliable and len(index.key_pts):
            keys = np.searchsorted(index.key_pts, index.pts[wanted], side='right') - 1
            for key in np.unique(keys[keys >= 0]).tolist():
                frames = self._from_key(key, wanted[keys == key])
                if frames is None and index.damage is None:
                    self.survey()
                    self._refuse(wanted)
                found.update(frames or {})
        left = [i for i in wanted.tolist() if i not in found]
        return {**found, **self._from_start(left)} if left else found

    def _refuse(self, wanted: np.ndarray) -> None:
        for i in wanted.tolist():
            reason = (self.index.damage or {}).get(i)
            if reason:
                raise UnreadableVideoError(
                    f'damaged: {reason}, so frame {i} of {len(self.index.times)} (at '
                    f"{self.index.times[i, 0]:.2f} s) is no good; damaged='skip' reads the others"
                )

    def _from_key(self, key: int, wanted: np.ndarray) -> dict[int, np.ndarray] | None:
        """Frames after a key frame; None if this way does not give them."""
        left, last, found = set(wanted.tolist()), self.index.until[wanted].max(), {}
        needed = {*left, int(last)} if self.skips_unreferenced else None
        for i, frame in self._walk(key, needed):
            if i in left:
                found[i] = self._picture(frame)
            if i >= last:
                return found
        return None

    def _walk(
        self, key: int, needed: set[int] | None = None
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames from a key frame on, while each is good and is the next one in the index.

        With ``needed``, others may be missing if no frame refers to them.
        """
        index = self.index
        if self.stream.codec_context.codec.canonical_name in _LEAVES_GAPS:
            self.reopen()
        expected = int(np.searchsorted(index.pts, index.key_pts[key]))
        packets = self._seek(key)
        if needed is not None:
            wanted = {int(index.pts[i]) for i in needed}
            packets = sparing(packets, self.stream, wanted)
        for frame, damage, _ in decode_packets(packets, self.stream):
            if frame.pts is not None and frame.pts < index.key_pts[key]:
                continue  # shown before the key frame, and made from what was passed over
            if needed is not None and frame.pts is not None:
                while expected < len(index.pts) and index.pts[expected] < frame.pts:
                    if expected in needed:
                        return
                    expected += 1
            if damage or expected >= len(index.pts) or frame.pts != index.pts[expected]:
                return
            yield expected, frame
            expected += 1

    def _from_start(self, wanted: Sequence[int]) -> dict[int, np.ndarray]:
        """Frames by a plain decode."""
        self.survey()
        left, found, order = set(wanted), {}, self._order or []
        for i, frame, _ in self.decode_all():
            number = order[i] if i < len(order) else -1
            if number in left:
                found[number] = self._picture(frame)
                left.discard(number)
                if not left:
                    return found
        raise UnreadableVideoError(f'damaged: frame {min(left)} cannot be decoded')

    def _seek(self, key: int) -> Iterator[av.Packet]:
        """Packets from a key frame on; none if seeking to it fails."""
        # Demuxers differ, also between versions of FFmpeg, in which of the stamps they go by.
        goal = int(self.index.key_pts[key])
        for stamp in (goal, self.index.key_dts[key]):
            try:
                self.container.seek(int(stamp), stream=self.stream)
                packets = self.container.demux(self.stream)
                first = next(packets, None)
            except FFmpegError:  # no index, or a source that cannot go back
                continue
            if first is not None and first.pts is not None and first.pts <= goal:
                return itertools.chain([first], packets)
        return iter(())

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        size = {}
        if self.resized == 'scale':
            width, height = self._first()
            size = dict(width=width, height=height)
        # One converter for all frames: to make it takes longer than to use it.
        picture = self.converter.reformat(frame, format='rgb24', **size, **self.converting)
        # Not ``frame.side_data``, which holds the frame until garbage is collected: where a decoder
        # leaves parts of a broken picture as they were and does not say so, what memory it gets
        # must not depend on what else was asked.
        return upright(picture.to_ndarray(), picture.side_data.get('DISPLAYMATRIX'))

    def _first(self) -> tuple[int, int]:
        """Width and height of the first frame, as it is stored."""
        if self._first_size is None:
            with open_container(self.source) as container:
                stream = choose_stream(container, self.wanted_stream)
                set_threads(stream, self.num_threads)
                decoded = decode_packets(container.demux(stream), stream)
                first = next(itertools.islice(decoded, self.index.left_out, None)).frame
                self._first_size = first.width, first.height
        return self._first_size
