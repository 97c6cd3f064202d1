"""Limits of what a server takes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from ovmlv.errors import ConfigError


@dataclass(frozen=True)
class ServingLimits:
    """Limits of the memory, the disk and the time that requests can take.

    Attributes:
        upload_bytes: Largest size of a file.
        upload_seconds: Time in which it has to arrive.
        duration: Longest video, in seconds.
        frames: Most frames of a video; a rate of thousands a second would evade ``duration``.
        pixels: Largest product of width and height.
        windows: Most windows of a timeline.
        strip: Frames of a video that are kept as small pictures.
        videos: Most videos that are kept, as embeddings and small pictures; the one that has not
            been used for longest is dropped first.
        keep_seconds: Time for which an unused video is kept.
        queue: Most videos that have arrived and wait or are looked at; further clients are told to
            come back.
        score_queue: Most requests for labels that wait or are worked on.
        request_bytes: Largest size of a request that is not an upload.
        connections: Most open connections. If there is one more, the one that brought least is
            closed.
        header_seconds: Time in which the header of a request has to arrive. A connection without a
            request is closed after this time.
        body_rate: Least bytes a second of a body, on average over ``header_seconds``.
        decode_seconds: Longest time to decode a video.
        labels: Most labels of a request.
        label_length: Most characters of a label.
        results: Most labels of a bank that an answer holds.
        bank_labels: Most labels of a bank that is offered.
        hits: Most hits of an answer about an index.
    """

    upload_bytes: int = 200 * 2**20
    upload_seconds: float = 300
    duration: float = 600
    frames: int = 100_000
    pixels: int = 4096 * 2304
    windows: int = 240
    strip: int = 24
    videos: int = 32
    keep_seconds: float = 1800
    queue: int = 8
    score_queue: int = 64
    request_bytes: int = 2**20
    connections: int = 512
    header_seconds: float = 10
    body_rate: float = 1000
    decode_seconds: float = 300
    labels: int = 1000
    label_length: int = 200
    results: int = 200
    bank_labels: int = 100_000
    hits: int = 1000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
                raise ConfigError(f'ServingLimits: {name}={value!r} must be a number above 0')
            whole = ServingLimits.__dataclass_fields__[name].type == 'int'
            if whole and value != int(value):
                raise ConfigError(f'ServingLimits: {name}={value!r} must be a whole number')


def megabytes(size: float) -> str:
    """Bytes as people read them: ``200 MB``."""
    size /= 2**20
    return f'{size:.0f} MB' if size >= 10 else f'{size:.2g} MB'


def minutes(seconds: float) -> str:
    """Seconds as people read them: ``10 minutes``, ``45 seconds``."""
    if seconds >= 120:
        return f'{seconds / 60:.3g} minutes'
    return f'{seconds:.3g} second{"" if seconds == 1 else "s"}'
