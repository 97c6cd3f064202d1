"""Uploads: they go into a file without a name, and are checked before anything decodes them."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import av
from av.error import FFmpegError
from starlette.requests import ClientDisconnect, Request

from ovmlv.containers import SIGNATURES, open_container
from ovmlv.errors import DataError, UnreadableVideoError

from .limits import ServingLimits, megabytes, minutes
from .service_error import ServiceError

#: What a file has to begin with: (offset, bytes). FFmpeg also reads playlists and scripts, which
#: name other files and addresses to open; none of those begins like this.
_UPLOADS = (*SIGNATURES, (0, b'GIF8'))
_TRANSPORT = ((0, 188), (4, 192))
#: And what FFmpeg has to take it for.
_FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,ogg,flv,live_flv,mpeg,mpegts,asf,gif'
#: Bytes that tell.
HEAD = 512
#: A refused client that goes on sending is listened to for so long, so that it reads the answer.
_LINGER_SECONDS, _LINGER_BYTES = 3.0, 256 * 2**20


@dataclass(frozen=True)
class Upload:
    """A file that arrived.

    Attributes:
        path: Path at which it can be opened.
        name: Name that the client gave, for messages.
    """

    path: Path
    name: str


@contextlib.asynccontextmanager
async def received(request: Request, name: str, limits: ServingLimits) -> AsyncIterator[Upload]:
    """The body of a request as a file, which disappears at the end of this context."""
    stated = request.headers.get('content-length', '')
    if stated.isdigit() and int(stated) > limits.upload_bytes:
        await linger(request)
        raise _too_large(name, limits)
    if request.headers.get('content-type', '').startswith('multipart/'):
        await linger(request)
        raise ServiceError(
            'invalid_request', 'Send the bytes of the file as the body, not as a form.'
        )
    # It has no name, so that nothing is left of it, however this process ends.
    with tempfile.TemporaryFile() as file:
        try:
            await asyncio.wait_for(_write(request, file, name, limits), limits.upload_seconds)
        except asyncio.TimeoutError:
            raise ServiceError(
                'upload_timeout',
                f'{name} did not arrive within {minutes(limits.upload_seconds)}.',
            ) from None
        except ClientDisconnect:
            raise ServiceError('upload_timeout', 'The client went away.') from None
        file.flush()
        yield Upload(Path(f'/dev/fd/{file.fileno()}'), name)


async def _write(request: Request, file: IO[bytes], name: str, limits: ServingLimits) -> None:
    size, end = 0, time.monotonic() + limits.upload_seconds
    async for chunk in request.stream():
        # Before Python 3.12 a part that arrives in the very moment in which the time is over makes
        # `wait_for` forget that it is (python/cpython#86296).
        if time.monotonic() > end:
            raise asyncio.TimeoutError
        size += len(chunk)
        if size > limits.upload_bytes:
            await linger(request)
            raise _too_large(name, limits)
        file.write(chunk)
    if not size:
        raise ServiceError('empty_upload', f'{name} is empty: it has no bytes.')


async def linger(request: Request) -> None:
    """Let a refused client send on for a moment: most read no answer until they have sent all."""
    end, size = time.monotonic() + _LINGER_SECONDS, 0
    try:
        while size < _LINGER_BYTES and (left := end - time.monotonic()) > 0:
            message = await asyncio.wait_for(request.receive(), left)
            size += len(message.get('body', b''))
            if message['type'] == 'http.disconnect' or not message.get('more_body'):
                return
    except (asyncio.TimeoutError, ServiceError):
        return


def _too_large(name: str, limits: ServingLimits) -> ServiceError:
    return ServiceError(
        'file_too_large', f'{name} is larger than the {megabytes(limits.upload_bytes)} allowed.'
    )


def probe(upload: Upload, limits: ServingLimits) -> float:
    """Refuse a file that is not a video or exceeds the limits. Nothing is decoded.

    Returns:
        Seconds from the first to the last frame.
    """
    with upload.path.open('rb') as file:
        if not looks_like_video(file.read(HEAD)):
            raise ServiceError(
                'unsupported_format',
                f'{upload.name} is not a video: it begins like none of MP4, MOV, WebM, MKV, AVI, '
                'MPEG, FLV, WMV, OGG or GIF.',
            )
    try:
        with open_container(upload.path, _FORMATS) as container:
            return _check(container, upload.name, limits)
    except UnreadableVideoError as error:
        raise _unreadable(upload.name, _reason(str(error), '')) from None
    except FFmpegError as error:
        raise _unreadable(upload.name, _reason(error.strerror or '', '')) from None
    except (ValueError, ArithmeticError):  # of numbers in headers that make no sense
        raise _unreadable(upload.name, 'its header makes no sense') from None


def _check(container: av.container.InputContainer, name: str, limits: ServingLimits) -> float:
    stream: Any = container.streams.best('video')
    if stream is None or stream.codec_context is None:
        raise _unreadable(name, 'it has no pictures')
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.pixels:
        raise ServiceError(
            'frame_too_large',
            f'{name} has pictures of {width} x {height} pixels; the server takes '
            f'{limits.pixels / 1e6:.3g} million pixels.',
        )
    base, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
    first, last, count = None, None, 0
    for packet in container.demux(stream):
        if not packet.size or packet.is_discard:
            continue
        count += 1
        if packet.pts is not None:
            first = packet.pts if first is None else min(first, packet.pts)
            last = packet.pts if last is None else max(last, packet.pts)
        seconds = count / rate if rate else 0.0
        if last is not None and first is not None:
            seconds = (last - first) * base
        if seconds > limits.duration or count > limits.frames:
            stated = (container.duration or 0) / av.time_base
            length = max(seconds, stated) if seconds > limits.duration else 0
            what = f'{minutes(length)} long' if length else f'of more than {limits.frames} frames'
            raise ServiceError(
                'video_too_long',
                f'{name} is {what}; the server takes {minutes(limits.duration)} and '
                f'{limits.frames} frames.',
            )
    if not count:
        raise _unreadable(name, 'its video stream is empty')
    return seconds


def looks_like_video(head: bytes) -> bool:
    """Whether a file that begins so may be a video.

    Args:
        head: The first :data:`HEAD` bytes.
    """
    if any(head[at : at + len(sign)] == sign for at, sign in _UPLOADS):
        return True
    return any(
        head[start : start + 1] == head[start + step : start + step + 1] == b'\x47'
        for start, step in _TRANSPORT
    )


def _unreadable(name: str, reason: str) -> ServiceError:
    return ServiceError('unreadable_video', f'{name} cannot be read as a video: {reason}.')


@contextlib.contextmanager
def decoding(upload: Upload) -> Iterator[None]:
    """Turn errors of decoders into sentences that name the client's file, not the server's."""
    try:
        yield
    except (DataError, UnreadableVideoError) as error:
        raise _unreadable(upload.name, _reason(str(error), str(upload.path))) from error


def _reason(text: str, path: str) -> str:
    """What is wrong, without the path and the advice of messages that are meant for local files."""
    if 'Invalid data found' in text or not text.strip():
        return 'it is damaged or incomplete'
    text = ' '.join(text.replace(path, 'it').split()) if path else text
    begin, end = text.find('('), text.rfind(')')
    if 0 <= begin < end:
        text = text[begin + 1 : end]
    kind, colon, rest = text.partition(': ')
    return (rest if colon and kind.isidentifier() else text).rstrip('. ')
