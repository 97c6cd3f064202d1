"""Batches with clips of many videos, whose embeddings go back to their videos."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor

from ovmlv.errors import DataError
from ovmlv.results import Timings, Window, source_name
from ovmlv.utils.background import in_background

from .encoded_video import EncodedVideo
from .video_reader import Clip, VideoSource
from .video_sources import UnusableSource

_SourceT = TypeVar('_SourceT', bound=VideoSource | UnusableSource)


@dataclass(frozen=True)
class UnreadVideo:
    """A video that is missing or damaged, with the reason in one line."""

    video: str
    error: str


class _Video:
    """A video whose clips are being encoded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: str | None = None
        self.windows: list[Window] = []
        self.embeddings: list[np.ndarray] = []
        self.waiting, self.read = 0, False
        self.decode = self.encode = 0.0
        self.duration: float | None = None
        self.fps: float | None = None

    @property
    def ready(self) -> bool:
        return self.error is not None or (self.read and not self.waiting)

    def take(self, found: _Read) -> None:
        clip = found.clip
        self.decode += found.seconds
        self.waiting += 1
        self.duration, self.fps = clip.duration, clip.fps
        if clip.window is not None:
            self.windows.append(clip.window)

    def result(self) -> EncodedVideo | UnreadVideo:
        if self.error is not None:
            return UnreadVideo(self.name, self.error)
        timings = Timings(self.decode, self.encode)
        windows = tuple(self.windows)
        rows = np.stack(self.embeddings)
        return EncodedVideo(self.name, rows, windows, self.duration, self.fps, timings)


def encode_all(
    read: Callable[[_SourceT], Iterator[Clip]],
    embed: Callable[[list[Tensor]], np.ndarray],
    sources: Iterable[_SourceT],
    batch_size: int,
    report: bool,
    ahead: bool = False,
) -> Iterator[EncodedVideo | UnreadVideo]:
    """Encode videos, and yield them in their order.

    A batch may hold windows of several videos, and a video may be in several batches. At most a
    batch of clips is in memory, or three with ``ahead``.

    Args:
        read: Function from a video to its clips.
        embed: Function from clips of one shape to embeddings ``(B, M, E)``.
        sources: Videos.
        batch_size: Number of clips in a batch.
        report: Whether to yield an :class:`UnreadVideo` for a video that cannot be read, instead of
            raising an error.
        ahead: Read the next clips in a thread while a batch is embedded. It pays where a GPU
            embeds; threads of a processor that embeds would wait for one another.
    """
    events: Iterable[_Begin | _Read | _End] = _read_all(read, sources)
    if ahead:
        events = in_background(events, 2 * batch_size)
    queue: deque[_Video] = deque()
    batch: list[tuple[_Video, Tensor]] = []
    for event in events:
        if isinstance(event, _Begin):
            video = _Video(event.name)
            queue.append(video)
        elif isinstance(event, _Read):
            video.take(event)
            batch.append((video, event.clip.inputs))
            if len(batch) >= batch_size:
                _run(batch, embed)
        elif event.error is None:
            video.read = True
        elif report:
            video.error = str(event.error)
            batch = [entry for entry in batch if entry[0] is not video]
        else:
            raise event.error
        while queue and queue[0].ready:
            yield queue.popleft().result()
    _run(batch, embed)
    yield from (video.result() for video in queue)


@dataclass(frozen=True)
class _Begin:
    """A video is opened."""

    name: str


@dataclass(frozen=True)
class _Read:
    """A clip of it was read, in so many seconds."""

    clip: Clip
    seconds: float


@dataclass(frozen=True)
class _End:
    """All of it was read, or it cannot be read."""

    error: DataError | FileNotFoundError | None = None


def _read_all(
    read: Callable[[_SourceT], Iterator[Clip]], sources: Iterable[_SourceT]
) -> Iterator[_Begin | _Read | _End]:
    """What happens while videos are read, one after the other."""
    for source in sources:
        yield _Begin(source_name(source))
        started = time.perf_counter()
        try:
            for clip in read(source):
                yield _Read(clip, time.perf_counter() - started)
                started = time.perf_counter()
        except (DataError, FileNotFoundError) as error:
            yield _End(error)
        else:
            yield _End()


def _run(batch: list[tuple[_Video, Tensor]], embed: Callable[[list[Tensor]], np.ndarray]) -> None:
    """Embed the clips of a batch and empty it; clips of one shape go together."""
    shapes: dict[tuple[int, ...], list[tuple[_Video, Tensor]]] = {}
    for entry in batch:
        shapes.setdefault(tuple(entry[1].shape), []).append(entry)
    batch.clear()
    for group in shapes.values():
        started = time.perf_counter()
        rows = embed([inputs for _, inputs in group])
        each = (time.perf_counter() - started) / len(group)
        for (video, _), row in zip(group, rows, strict=True):
            video.embeddings.append(row)
            video.waiting -= 1
            video.encode += each
