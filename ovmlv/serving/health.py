"""Whether the server lives (``/healthz``) and whether to send it requests (``/readyz``).

A server that does not live is to be started again; one that is not ready is to be left alone until
it is. So a server that is being stopped lives, and is not ready.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from .fork_server import ForkServer
from .service_error import ServiceError

LIVE, READY = '/healthz', '/readyz'


class Health:
    """Answers to probes, from what is known already: nothing waits for anything.

    Args:
        decoders: What starts the processes that decode.
        is_stopping: Function that tells whether the server is being stopped.
        start: Function that starts those processes; it may take a moment.
    """

    def __init__(
        self, decoders: ForkServer, is_stopping: Callable[[], bool], start: Callable[[], None]
    ) -> None:
        self._decoders, self._is_stopping, self._start = decoders, is_stopping, start
        self._starter: threading.Thread | None = None
        self._draining = False

    def drain(self) -> None:
        """Be no longer ready, while requests are still answered."""
        self._draining = True

    @property
    def is_ready(self) -> bool:
        """Whether a video that came now would be looked at, as soon as it is its turn."""
        return self._trouble() is None

    def answer(self, path: str) -> bytes:
        """Body of the answer to :data:`LIVE` or :data:`READY`.

        Raises:
            ServiceError: The server is not ready.
        """
        if path == LIVE:
            return json.dumps(dict(status='alive')).encode()
        if trouble := self._trouble():
            raise ServiceError(trouble, retry_after=None if trouble == 'stopping' else 5)
        return json.dumps(dict(status='ready')).encode()

    def _trouble(self) -> str | None:
        if self._draining or self._is_stopping():
            return 'stopping'
        if self._decoders.is_up():
            return None
        # A process that ended is started when the next video comes; but none comes to a server that
        # is not ready.
        if self._decoders.pid is None and not (self._starter and self._starter.is_alive()):
            self._starter = threading.Thread(target=self._start, daemon=True)
            self._starter.start()
        return 'starting'
