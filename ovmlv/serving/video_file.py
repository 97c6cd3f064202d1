"""A video file of this disk, or the part of it that a player asks for (RFC 9110, section 14)."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from anyio import to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ovmlv.index.video_rows import VideoRow

from .media_types import media_type
from .service_error import ServiceError
from .uploads import HEAD, looks_like_video

#: Bytes that are read at a time.
_CHUNK = 2**18
_RANGE = re.compile(r'bytes=(\d{0,18})-(\d{0,18})')


@dataclass(frozen=True)
class VideoFile:
    """An open file that is the video an index knows.

    Attributes:
        file: The file, open for reading.
        size: Its bytes.
        kind: Its media type.
        etag: What tells it from another content at the same address.
    """

    file: FileIO
    size: int
    kind: str
    etag: str


def open_video_file(row: VideoRow) -> VideoFile:
    """Open the file of a video.

    An index may come from a stranger and name any file. So only what begins like a video, and has
    the size that the index knows, is ever sent.

    Raises:
        ServiceError: It is gone, cannot be read, or is another file by now.
    """
    name = Path(row.path).name
    try:
        # Opening a pipe would wait for somebody who writes.
        descriptor = os.open(row.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _gone(name, 'is no longer on the disk of the server') from None
    except (OSError, ValueError):
        raise _gone(name, 'cannot be read by the server') from None
    file = FileIO(descriptor)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _gone(name, 'is no file any more')
        if status.st_size != row.size:
            raise _gone(name, 'has changed since it came into the index')
        if not looks_like_video(os.pread(descriptor, HEAD, 0)):
            raise ServiceError(
                'unsupported_format', f'{name} is in no container that browsers play.'
            )
    except OSError:
        file.close()
        raise _gone(name, 'cannot be read by the server') from None
    except ServiceError:
        file.close()
        raise
    known = f'{row.digest} {status.st_size} {status.st_mtime_ns}'.encode()
    etag = f'"{hashlib.blake2b(known, digest_size=12).hexdigest()}"'
    kind = media_type(name)
    return VideoFile(file, status.st_size, kind, etag)


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte, and the one behind the last; None asks for the whole file.

    Several ranges, other units and what makes no sense count as none, as the standard allows.

    Raises:
        ServiceError: The range begins behind the end.
    """
    match = _RANGE.fullmatch((header or '').replace(' ', ''))
    if match is None or match[0] == 'bytes=-':
        return None
    first, last = match[1], match[2]
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise ServiceError('range_too_far', f'The file has {size} bytes.')
    return start, end


def answer_with(
    video: VideoFile, method: str, wanted: str | None, condition: str | None
) -> Response:
    """The answer to a request for the file.

    Args:
        video: The file, which is closed with the answer.
        method: ``GET`` or ``HEAD``.
        wanted: The header ``Range``.
        condition: The header ``If-Range``.
    """
    headers = {'Accept-Ranges': 'bytes', 'ETag': video.etag, 'Content-Type': video.kind}
    try:
        part = requested_range(wanted if condition in (None, video.etag) else None, video.size)
    except ServiceError as error:
        video.file.close()
        headers |= {**error.headers, 'Content-Range': f'bytes */{video.size}'}
        return Response(error.body(), error.status, headers)
    start, end = part or (0, video.size)
    headers['Content-Length'] = str(end - start)
    if part is not None:
        headers['Content-Range'] = f'bytes {start}-{end - 1}/{video.size}'
    status = 200 if part is None else 206
    if method == 'HEAD':
        video.file.close()
        return Response(b'', status, headers)
    return _FileResponse(video.file, start, end, status, headers)


class _FileResponse(StreamingResponse):
    """Bytes of a file, which ends when the client goes away, and closes the file."""

    def __init__(
        self, file: FileIO, start: int, end: int, status: int, headers: dict[str, str]
    ) -> None:
        self.file = file
        super().__init__(self._parts(start, end), status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        with self.file:
            await super().__call__(scope, receive, send)

    async def _parts(self, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            size = min(_CHUNK, end - start)
            part = await to_thread.run_sync(os.pread, self.file.fileno(), size, start)
            if not part:  # cut while it is sent
                raise ServiceError('file_gone')
            start += len(part)
            yield part


def _gone(name: str, what: str) -> ServiceError:
    return ServiceError('file_gone', f'{name} {what}.')
