"""The one place that opens media files, and plain decoding that reports what is damaged.

FFmpeg also reads playlists, scripts and patterns of file names, which make it open other files and
addresses, and it takes a colon in a name for a protocol. Here, every name is taken as the name of a
file, and only containers that hold their pictures themselves are opened. This module does not use
torch, since the runtime reads videos with it as well.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .errors import DependencyError, UnreadableVideoError

if TYPE_CHECKING:
    import av
    import numpy as np

#: FFmpeg's names of what may be opened: one file each, which names no other. Sound is among them so
#: that a sound file is told as such.
FORMATS = (
    'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,ogg,flv,live_flv,mpeg,mpegts,mpegvideo,m4v,asf,asf_o,'
    'h261,h263,h264,hevc,vvc,evc,av1,obu,ivf,vc1,vc1test,cavsvideo,avs2,avs3,dirac,mjpeg,gif,apng,'
    'mxf,gxf,nut,nuv,nsv,rm,dv,wtv,swf,yuv4mpegpipe,pva,ty,flic,film_cpk,smk,bink,roq,amv,dhav,'
    'mp3,wav,w64,flac,aac,ac3,eac3,dts,amr,aiff,au,caf,ape,tta,wv,mpc,mpc8'
)
#: How the containers begin that readers with an old FFmpeg of their own may open: (offset, bytes).
SIGNATURES = (
    *((4, kind) for kind in (b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'pnot')),
    (0, b'\x1a\x45\xdf\xa3'),  # Matroska, WebM
    (0, b'RIFF'),
    (0, b'OggS'),
    (0, b'FLV'),
    (0, b'\x00\x00\x01\xba'),  # MPEG program stream
    (0, b'\x30\x26\xb2\x75'),  # ASF, WMV
)
_HEAD, _TEXT = 4096, 64
_INTRA, _BOTH_WAYS = 1, 3  # I and B of AVPictureType


_NO_MEDIA = 'it is a playlist, a script, a picture or another file that holds no video'


def open_container(
    source: str | Path | bytes | BinaryIO, formats: str = FORMATS, **options: str
) -> av.container.InputContainer:
    """Open a media file with PyAV (14 to 19).

    Args:
        source: Path of a local file, whatever its name looks like; or its content; or a binary file
            object.
        formats: FFmpeg's names of the formats that are accepted.
        **options: Further options of FFmpeg's demuxers, such as ``fflags='+nofillin'``.

    Raises:
        UnreadableVideoError: The file has none of these formats, or its header makes no sense.
        FileNotFoundError: There is no such file.
        DependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DependencyError('reading video files needs PyAV; pip install av') from error
    # Titles and such may be in any encoding; from 19 on PyAV takes them as they are.
    tolerant = hasattr(av.container.InputContainer, 'metadata_errors')
    settings: dict[str, Any] = {'metadata_errors': 'replace'} if tolerant else {}
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    place = ''  # of a file; none for what is in memory
    if isinstance(source, (str, Path)):
        if not is_file(source):
            raise FileNotFoundError(f'video {source} not found; give the path of a video file')
        place = os.path.abspath(source)
        source = f'file:{place}'
    held = not place
    if _is_text(source):
        raise UnreadableVideoError(f'no readable video ({_NO_MEDIA})')
    # What is in memory needs no protocol at all, and there is none of this name.
    rules = {'format_whitelist': formats, 'protocol_whitelist': 'none' if held else 'file'}
    settings['options'] = {**options, **rules}
    try:
        try:
            return av.open(source, **settings)
        except av.error.FFmpegError as error:
            if held or error.errno != errno.EINVAL:  # which is a format that is not among them
                raise
            # Names such as img%03d.png outweigh the content; without a name that alone counts.
            return av.open(_Nameless(place), **settings)
    except av.error.FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        reason = _NO_MEDIA if error.errno == errno.EINVAL else error.strerror
        raise UnreadableVideoError(f'no readable video ({reason})') from None
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise UnreadableVideoError(
            f'no readable video (its header makes no sense: {type(error).__name__})'
        ) from None


class _Nameless:
    """A file that has content but no name."""

    def __init__(self, path: str) -> None:
        file = open(path, 'rb')  # noqa: SIM115  closed with the container
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _is_text(source: str | BinaryIO) -> bool:
    """Whether a file begins like a text: scripts and playlists do, containers do not."""
    if isinstance(source, str):
        with open(source.removeprefix('file:'), 'rb') as file:
            head = file.read(_TEXT)
    else:
        place = source.tell()
        head = source.read(_TEXT)
        source.seek(place)
    if head.startswith(b'YUV4MPEG2'):
        return False
    return len(head) > 8 and all(byte >= 32 or byte in b'\t\n\r\f' for byte in head)


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; False for names that no file can have."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_harmless(source: str | Path | bytes) -> bool:
    """Whether a reader that probes by itself would also take this for a plain container.

    decord brings an FFmpeg of 2021, and torchcodec takes that of the system. They open more than
    ours and cannot be limited to formats or protocols. A file for them must therefore begin like a
    container and be one for our FFmpeg.
    """
    if isinstance(source, bytes):
        head = source[:_HEAD]
    else:
        with open(source, 'rb') as file:
            head = file.read(_HEAD)
    known = any(head[at : at + len(sign)] == sign for at, sign in SIGNATURES)
    if not known or b'<MPD' in head or b'#EXT' in head:
        return False
    with open_container(source):
        return True


class Decoded(NamedTuple):
    """A frame of a plain decode.

    Attributes:
        frame: The frame of PyAV.
        damage: What is wrong with it; mostly nothing.
        key: Whether decoding can start at it.
    """

    frame: av.VideoFrame
    damage: str
    key: bool


def decode_packets(
    packets: Iterable[av.Packet],
    stream: av.VideoStream,
    lost: list[tuple[int, str]] | None = None,
) -> Iterator[Decoded]:
    """Frames in the order of a plain decode, each with what is wrong with it.

    A frame is damaged if it has errors itself. It is also damaged if, since the last good key frame
    before it, any frame had errors, any packet could not be decoded, or the container had lost a
    part of a packet: a frame that is predicted from a damaged frame is as wrong as that one,
    although no decoder says so. (B-frames are also predicted from frames that come out later, see
    :func:`reach_back`.)

    Args:
        packets: Packets from the demuxer.
        stream: Stream of the packets.
        lost: List that takes the damage of frames that never come out if the next frame is a key
            frame or there is none: the number of frames before it, and the reason.
    """
    from av.error import FFmpegError

    reason, since = '', None
    keys: set[int | None] = set()
    count, untold = 0, False
    lost = [] if lost is None else lost
    intra_only = stream.codec_context.codec.intra_only
    packets = iter(packets)
    while True:
        packet: av.Packet | None = None
        try:
            packet = next(packets)
        except StopIteration:
            break
        except FFmpegError as error:  # the container cannot be read on
            reason = reason or f'reading the file fails ({error.strerror})'
            since, untold, frames = None, True, []
            with contextlib.suppress(FFmpegError):
                frames = stream.codec_context.decode(None)
        else:
            assert packet is not None
            stamp = packet.dts if packet.pts is None else packet.pts
            if packet.is_keyframe or intra_only:
                keys.add(packet.pts)
            if packet.is_corrupt:
                since, untold = _latest(stamp, since, reason), True
                reason = reason or f'the packet {_at(stamp, stream)} is incomplete'
            try:
                frames = packet.decode()
            except FFmpegError as error:
                since, untold, frames = _latest(stamp, since, reason), True, []
                reason = reason or f'decoding fails {_at(stamp, stream, "near")} ({error.strerror})'
        for frame in frames:
            # Where a gradual refresh starts is flagged like a key frame, but is no intra picture.
            key = bool(frame.key_frame) and int(frame.pict_type) == _INTRA
            key = key and (frame.pts is None or frame.pts in keys)
            if frame.is_corrupt:
                since = _latest(frame.pts, since, reason)
                reason = reason or f'the frame {_at(frame.pts, stream)} has errors'
            elif reason and key and since is not None and (frame.pts or since) > since:
                # Decoders hold frames back: what comes out later may have been put in before.
                if untold:
                    lost.append((count, reason))
                reason, untold = '', False
            untold, count = untold and not reason, count + 1
            yield Decoded(frame, reason, key)
        if packet is None:
            break
    if untold:
        lost.append((count, reason))


def _latest(stamp: int | None, since: int | None, reason: str) -> int | None:
    """Time stamp of the latest damage so far; None if not all time stamps are known."""
    if not reason:
        return stamp
    return None if stamp is None or since is None else max(stamp, since)


def is_b_frame(frame: av.VideoFrame) -> bool:
    """Whether a frame may be predicted from one that is shown after it."""
    return int(frame.pict_type) == _BOTH_WAYS


def reach_back(
    damage: Sequence[str], b_frames: Sequence[bool], lost: Iterable[tuple[int, str]] = ()
) -> list[str]:
    """Carry damage over to the B-frames right before a damaged frame.

    The last frame before one that never came out is also damaged, since it would be shown in its
    place.

    Args:
        damage: Damage of each frame, as :func:`decode_packets` gives it.
        b_frames: Whether each frame is a B-frame.
        lost: Frames that never came out; the counts are of these frames.
    """
    found = list(damage)
    for i in range(len(found) - 2, -1, -1):
        if b_frames[i] and not found[i]:
            found[i] = found[i + 1]
    for count, reason in lost:
        if 0 < count <= len(found):
            found[count - 1] = found[count - 1] or reason
    return found


def _at(stamp: int | None, stream: av.VideoStream, word: str = 'at') -> str:
    if stamp is None or stream.time_base is None:
        return f'{word} an unknown time'
    return f'{word} {float(stamp * stream.time_base):.2f} s'


def choose_stream(
    container: av.container.InputContainer, index: int | None = None
) -> av.VideoStream:
    """The video stream with this index in the file; by default FFmpeg's choice.

    Raises:
        UnreadableVideoError: There is none, or it holds no video.
    """
    import av

    videos = container.streams.video
    stream: Any
    if index is not None:
        chosen = [s for s in videos if s.index == index]
        if not chosen:
            raise UnreadableVideoError(
                f'it has no video stream {index}, but {[s.index for s in videos]}'
            )
        stream = chosen[0]
    else:
        stream = container.streams.best('video')
    if stream is None:
        kinds = sorted({s.type for s in container.streams})
        raise UnreadableVideoError(f'it has no video stream ({", ".join(kinds) or "nothing"})')
    if stream.disposition & av.stream.Disposition.attached_pic:
        raise UnreadableVideoError('its only picture is the cover of a sound file')
    if stream.codec_context is None:
        raise UnreadableVideoError('its codec is unknown')
    return stream


def sparing(
    packets: Iterable[av.Packet], stream: av.VideoStream, stamps: Set[int]
) -> Iterator[av.Packet]:
    """The packets, with the decoder told before each whether its frame may be left out.

    It leaves out what no other frame is predicted from, of H.264, H.265 and MPEG-4, say; other
    decoders take no notice.

    Args:
        packets: Packets of the stream, which are decoded one after the other.
        stream: Their stream.
        stamps: Time stamps (``pts``) of the frames that are wanted.
    """
    context = stream.codec_context
    try:
        for packet in packets:
            context.skip_frame = 'DEFAULT' if packet.pts in stamps else 'NONREF'
            yield packet
    finally:
        context.skip_frame = 'DEFAULT'


def set_threads(stream: av.VideoStream, count: int) -> None:
    """Set the threads of a decoder. VP8's reports broken partitions only if it uses slices."""
    if stream.codec_context.codec.canonical_name in ('vp8', 'vp7'):
        stream.codec_context.thread_count = max(count, 2) if count else 0
        stream.thread_type = 'SLICE'
        return
    stream.codec_context.thread_count = count
    if count != 1:
        stream.thread_type = 'AUTO'


def converting(threads: int = 1) -> dict[str, int]:
    """Arguments for PyAV's conversions of frames that hold it to so many threads.

    From 17 on it takes as many threads as there are cores unless told otherwise. For small frames,
    waiting for them takes longer than all the rest; and a worker that is forked while they are
    there hangs when it frees the frame.
    """
    import av

    return {'threads': threads} if int(av.__version__.split('.')[0]) >= 17 else {}


def rgb_of(frame: av.VideoFrame) -> np.ndarray:
    """RGB uint8 ``(H, W, 3)`` of a frame as it is stored, converted in this thread alone."""
    return frame.to_ndarray(format='rgb24', **converting())


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn FFmpeg's errors into ours."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        raise UnreadableVideoError(f'no readable video ({error.strerror})') from None
