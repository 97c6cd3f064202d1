"""A store that keeps videos for a while, so that clients can ask for other labels."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .service_error import ServiceError


@dataclass(frozen=True, eq=False)
class StoredVideo:
    """What is kept of an upload; the file itself is not.

    Attributes:
        name: Name that the client gave; never a path of the server.
        duration: Length in seconds.
        encoded: Embeddings of the windows, an ``EncodedVideo``.
        frames: Embeddings of the frames of the strip, each as a window.
        times: Seconds of these frames.
        pictures: JPEG files of these frames.
        id: Id that cannot be guessed, so that it is also the key to the video.
    """

    name: str
    duration: float
    encoded: Any
    frames: Any
    times: tuple[float, ...]
    pictures: tuple[bytes, ...]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def nbytes(self) -> int:
        """Bytes of its embeddings and pictures."""
        return self.encoded.nbytes + self.frames.nbytes + sum(map(len, self.pictures))


class VideoStore:
    """The videos that were used last. All calls must come from the thread of the event loop.

    Args:
        size: Number of videos that are kept.
        seconds: Time for which a video is kept after its last use.
        clock: Function that gives the time in seconds.
    """

    def __init__(
        self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.size, self.seconds, self._clock = size, seconds, clock
        self._videos: OrderedDict[str, tuple[float, StoredVideo]] = OrderedDict()

    def __len__(self) -> int:
        self.expire()
        return len(self._videos)

    @property
    def nbytes(self) -> int:
        """Bytes of the embeddings and pictures of all videos."""
        return sum(video.nbytes for _, video in self._videos.values())

    def add(self, video: StoredVideo) -> None:
        """Keep a video; the one that has not been used for longest makes room."""
        self._videos[video.id] = (self._clock(), video)
        self.expire()
        while len(self._videos) > self.size:
            self._videos.popitem(last=False)

    def get(self, key: str) -> StoredVideo:
        """The video of an id."""
        self.expire()
        if key not in self._videos:
            raise ServiceError('unknown_video', 'This video is no longer kept; upload it again.')
        _, video = self._videos.pop(key)
        self._videos[key] = (self._clock(), video)
        return video

    def remove(self, key: str) -> None:
        """Forget a video."""
        self.get(key)
        del self._videos[key]

    def expire(self) -> None:
        """Forget the videos that were not used for long. They are in the order of use."""
        oldest = self._clock() - self.seconds
        while self._videos and next(iter(self._videos.values()))[0] < oldest:
            self._videos.popitem(last=False)
