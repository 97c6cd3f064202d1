"""Requests that are worked on, each of which can be ended from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from .service_error import ServiceError


class OpenRequest:
    """A request and the task that answers it.

    Attributes:
        refusal: Reason why it was ended, if it was.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self.refusal: ServiceError | None = None

    def refuse(self, error: ServiceError) -> None:
        """Cancel the task; the code that catches this answers with the error."""
        if self.refusal is None and self._task is not None:
            self.refusal = error
            self._task.cancel()


class OpenRequests:
    """All open requests. Calls must come from the thread of the event loop."""

    def __init__(self) -> None:
        self._open: set[OpenRequest] = set()
        self._stopping = False

    @contextlib.contextmanager
    def enter(self) -> Iterator[OpenRequest]:
        """The context of a request, from its begin to its end."""
        request = OpenRequest()
        self._open.add(request)
        try:
            yield request
        finally:
            self._open.discard(request)

    @property
    def stopping(self) -> bool:
        """Whether the server is being stopped."""
        return self._stopping

    def check(self) -> None:
        """Raise a ``stopping`` error once the server is being stopped."""
        if self._stopping:
            raise ServiceError('stopping')

    def stop(self) -> None:
        """Refuse all requests, and all that come later."""
        self._stopping = True
        for request in list(self._open):
            request.refuse(ServiceError('stopping'))
