"""Running uvicorn, so that it stops at once and is not held up by idle connections."""

from __future__ import annotations

import contextlib
import functools
import math
import socket
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


def run(
    app: FastAPI,
    listener: socket.socket,
    limits: ServingLimits,
    announce: Callable[[], None],
    access_log: bool,
) -> None:
    """Serve until interrupted.

    Args:
        app: Application of ``build_app``.
        listener: A socket that is bound.
        limits: Limits of connections.
        announce: Function that is called when connections are accepted.
        access_log: Whether to log every request.
    """
    protocol = functools.partial(PatientProtocol, limits=limits, most=_most_connections(limits))
    config = uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # whatever makes one when it is called
        ws='none',
        log_level='info' if access_log else 'warning',
        access_log=access_log,
        server_header=False,
        timeout_keep_alive=math.ceil(limits.header_seconds),
        timeout_graceful_shutdown=_GOODBYE,
    )
    with contextlib.suppress(KeyboardInterrupt):
        app.state.start(wait=True)  # so that the first visitor does not
        _Server(config, announce, app.state.stop).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._announce, self._stop = announce, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn waits for the requests that are worked on.
        self._stop()
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
