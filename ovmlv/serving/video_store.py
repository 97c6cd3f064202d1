"""Videos that were looked at, kept for a while so that other labels can be asked for."""

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
        name: As the client calls it; never a path of the server.
        duration: Seconds.
        encoded: Embeddings of the windows, an ``EncodedVideo``.
        frames: The same, each frame of the strip a window.
        times: Seconds of those frames.
        pictures: JPEG files of those frames.
        id: Unguessable, so that it is the key to the video as well.
    """

    name: str
    duration: float
    encoded: Any
    frames: Any
    times: tuple[float, ...]
    pictures: tuple[bytes, ...]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))


class VideoStore:
    """The videos used last. All calls come from the thread of the event loop.

    Args:
        size: How many are kept.
        seconds: How long one is kept after its last use.
        clock: Of seconds.
    """

    def __init__(
        self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.size, self.seconds, self._clock = size, seconds, clock
        self._videos: OrderedDict[str, tuple[float, StoredVideo]] = OrderedDict()

    def __len__(self) -> int:
        self.expire()
        return len(self._videos)

    def add(self, video: StoredVideo) -> None:
        """Keep a video; the one not used for longest makes room."""
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
        """Forget the videos that were not used for long. They lie in the order of use."""
        oldest = self._clock() - self.seconds
        while self._videos and next(iter(self._videos.values()))[0] < oldest:
            self._videos.popitem(last=False)
