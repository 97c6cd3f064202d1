"""The reason why a request was refused, for programs (a code) and for people (a sentence)."""

from __future__ import annotations

import json

from ovmlv.errors import OvmlvError, quoted

#: Code -> HTTP status and what it means.
CODES: dict[str, tuple[int, str]] = {
    'invalid_request': (400, 'The request is not what the API page describes.'),
    'empty_upload': (400, 'No file came with the request.'),
    'cross_site': (403, 'A page of another site sent the request.'),
    'not_found': (404, 'There is nothing at this address.'),
    'unknown_video': (404, 'The video was never here, or is no longer kept.'),
    'unknown_bank': (404, 'The server offers no bank of this name.'),
    'no_index': (404, 'The server was started without an index.'),
    'file_gone': (404, 'The file of a video of the index is gone, changed, or cannot be read.'),
    'method_not_allowed': (405, 'The address takes another method.'),
    'upload_timeout': (408, 'The request took too long to arrive.'),
    'file_too_large': (413, 'The file has more bytes than the server takes.'),
    'request_too_large': (413, 'The request has more bytes than the server takes.'),
    'unsupported_format': (415, 'The file is no video, or in a container that is not read.'),
    'range_too_far': (416, 'The range begins behind the end of the file.'),
    'wrong_host': (421, 'The server goes by another name.'),
    'unreadable_video': (422, 'The file is damaged, or holds no pictures that can be decoded.'),
    'video_too_long': (422, 'The video is longer than the server takes.'),
    'frame_too_large': (422, 'The pictures have more pixels than the server takes.'),
    'decode_timeout': (422, 'The video takes longer to decode than the server allows.'),
    'too_many_windows': (422, 'The stride would make more windows than the server takes.'),
    'invalid_labels': (422, 'A label is empty, too long, no text, or given twice.'),
    'too_many_labels': (422, 'There are more labels than the server takes at once.'),
    'invalid_query': (422, 'The query cannot be read, or one of its labels is no label.'),
    'header_too_large': (431, 'The header of the request has more bytes than the server takes.'),
    'internal': (500, 'The server made a mistake; its log has more.'),
    'no_metrics': (501, "Metrics need prometheus_client: pip install 'ovmlv[metrics]'."),
    'decoder_crashed': (503, 'The process that decodes ended while it looked at the video.'),
    'starting': (503, 'The process that decodes is not ready yet.'),
    'index_unreadable': (503, 'The index cannot be read now; the log of the server has more.'),
    'stopping': (503, 'The server is being stopped.'),
    'busy': (503, 'Too many are waiting. Retry-After says when to come back.'),
}
#: Header with the code of an error, so that proxies and logs know it without reading the body.
CODE_HEADER = 'X-Error-Code'
#: Characters of a message.
_LONGEST = 280


class ServiceError(OvmlvError):
    """A refused request.

    Args:
        code: One of :data:`CODES`.
        message: A sentence; by default, the one of the code.
        retry_after: Seconds after which the client may try again.
    """

    def __init__(self, code: str, message: str = '', retry_after: int | None = None) -> None:
        self.code, self.retry_after = code, retry_after
        self.status, meaning = CODES[code]
        # What a client sent may be quoted, but not at any length.
        self.message = quoted(' '.join(message.split()), _LONGEST - 1) or meaning
        if not self.message.endswith('.'):
            self.message += '.'
        super().__init__(self.message)

    def __reduce__(self) -> tuple:  # errors also come from the process that decodes
        return ServiceError, (self.code, self.message, self.retry_after)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        headers = {'Content-Type': 'application/json', CODE_HEADER: self.code}
        if self.retry_after is not None:
            headers['Retry-After'] = str(self.retry_after)
        return headers

    def body(self) -> bytes:
        """Body of the answer: ``{"error": {"code", "message"}}``."""
        content = {'error': {'code': self.code, 'message': self.message}}
        return json.dumps(content, ensure_ascii=False).encode('utf-8', 'replace')


def sentence(text: str) -> str:
    """A message of the library as a sentence: with a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith('.') else text + '.'
