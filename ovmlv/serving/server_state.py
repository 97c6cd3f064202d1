"""What is true of a server at the moment, for its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .fork_server import FORK_SERVER
from .service import TaggingService
from .video_store import VideoStore
from .work_queue import WorkQueue


@dataclass(frozen=True)
class ServerState:
    """What is true at the moment, and what others count.

    Attributes:
        model: Name of the model.
        ready: Whether the server is ready, as ``/readyz`` says it.
        queues: Name of a queue -> how many wait or are worked on, and how many may.
        arriving: Uploads that arrive.
        videos: Videos that are kept.
        video_bytes: Bytes of their embeddings and pictures.
        decoded: Videos that were decoded.
        cache: ``hits`` and ``misses`` of the model's memory of labels, its ``labels`` and its
            ``bytes``; empty if the model has none.
        decoders: Numbers of the processes that are at a video.
        fork_server: Number of the process that they are copies of; None without one.
        fork_server_starts: How often that one was started.
    """

    model: str
    ready: bool
    queues: Mapping[str, tuple[int, int]]
    arriving: int
    videos: int
    video_bytes: int
    decoded: int
    cache: Mapping[str, int]
    decoders: list[int]
    fork_server: int | None
    fork_server_starts: int


def state_of(
    service: TaggingService,
    store: VideoStore,
    queues: Mapping[str, WorkQueue],
    arriving: int,
    ready: bool,
) -> ServerState:
    """The state of a server; for the arguments see :class:`ServerState`."""
    return ServerState(
        model=service.model_name,
        ready=ready,
        queues={name: (queue.reserved, queue.length) for name, queue in queues.items()},
        arriving=arriving,
        videos=len(store),
        video_bytes=store.nbytes,
        decoded=service.videos_decoded,
        cache=service.label_cache,
        decoders=service.decoder.pids(),
        fork_server=FORK_SERVER.pid,
        fork_server_starts=FORK_SERVER.starts,
    )
