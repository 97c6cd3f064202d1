"""Running uvicorn, so that it stops at once and is not held up by idle connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from .limits import ServingLimits
from .patient_protocol import PatientProtocol

if TYPE_CHECKING:
    from fastapi import FastAPI

#: Seconds in which clients have to read their answers when the server is stopped.
_GOODBYE = 2
#: Files that are open besides connections and uploads, at most; and the least that makes sense.
_OTHER_FILES, _LEAST = 64, 16
#: Seconds between looks at whether someone is in a hurry.
_LOOK = 0.1


def run(
    app: FastAPI,
    listener: socket.socket,
    limits: ServingLimits,
    announce: Callable[[], None],
    drain_seconds: float = 0,
) -> None:
    """Serve until interrupted.

    Args:
        app: Application of ``build_app``.
        listener: A socket that is bound.
        limits: Limits of connections.
        announce: Function that is called when connections are accepted.
        drain_seconds: Seconds from the first signal to the end in which requests are still
            answered, while ``/readyz`` says that no more should come.
    """
    protocol = functools.partial(
        PatientProtocol,
        limits=limits,
        most=_most_connections(limits),
        refused=app.state.watch.refused,
    )
    config = uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # whatever makes one when it is called
        ws='none',
        log_level='warning',
        access_log=False,  # there is one of ours
        server_header=False,
        timeout_keep_alive=math.ceil(limits.header_seconds),
        timeout_graceful_shutdown=_GOODBYE,
    )
    with contextlib.suppress(KeyboardInterrupt):
        app.state.start(wait=True)  # so that the first visitor does not
        _Server(config, announce, app, drain_seconds).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[], None],
        app: FastAPI,
        drain_seconds: float,
    ) -> None:
        super().__init__(config)
        self._announce, self._app, self._drain_seconds = announce, app, drain_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.watch.health.drain()
        end = time.monotonic() + self._drain_seconds
        # A second Ctrl+C ends this.
        while not self.force_exit and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _LOOK))
        # Before uvicorn waits for the requests that are worked on.
        self._app.state.stop()
        await super().shutdown(sockets=sockets)


def _most_connections(limits: ServingLimits) -> int:
    """As many as allowed, and as this process may have open files: two for an upload."""
    try:
        import resource
    except ImportError:  # no POSIX
        return limits.connections
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return limits.connections
    return max(_LEAST, min(limits.connections, (files - _OTHER_FILES) // 2))
