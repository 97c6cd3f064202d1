"""uvicorn's HTTP protocol, with limits to how long it waits.

uvicorn closes a connection that is no longer used, but it waits for ever for a first request, for
the rest of a header, and for a client that does not read its answer. Its ``limit_concurrency``
counts all of these connections, so that they keep everybody else out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .guard import HEADERS
from .limits import ServingLimits, minutes
from .observer import CLOSED_BY
from .request_ids import HEADER, id_of
from .service_error import ServiceError

#: Seconds in which a client has to read what remains when its connection is closed.
_FLUSH = 3.0
#: A connection of less than so many seconds has not had the time to show what it brings.
_NEW = 1.0


class PatientProtocol(H11Protocol):
    """A connection.

    Args:
        *args: Arguments of uvicorn.
        limits: Limits of waiting.
        most: Most connections that are open at a time.
        refused: Function that is told of a connection that is refused, with the client's address,
            and gives an id for the answer.
        **kwargs: Arguments of uvicorn.
    """

    def __init__(
        self,
        *args: Any,
        limits: ServingLimits,
        most: int,
        refused: Callable[[ServiceError, Any], str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.seconds, self.most, self._refused = limits.header_seconds, most, refused
        self._since, self._bytes = 0.0, 0
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self._bytes += len(data)
        super().data_received(data)
        if self._is_asked():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """A request was answered; the next one may be there already."""
        super().on_response_complete()
        self._wait()
        if self._is_asked():
            self._stop_waiting()

    def pause_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer a request that is not HTTP with an error in the form of all errors."""
        problem = sys.exc_info()[1]  # uvicorn handles one of h11
        if getattr(problem, 'error_status_hint', 400) == 431:
            self.refuse(ServiceError('header_too_large'))
        else:
            self.refuse(ServiceError('invalid_request', 'This is no request of HTTP/1.1.'))

    def refuse(self, error: ServiceError) -> None:
        """Answer in place of the application, unless it has begun to answer, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = error.body()
            headers = {**HEADERS, **error.headers, 'Content-Length': str(len(body))}
            headers['Connection'] = 'close'
            if self._is_asked():  # its request is noted where it ends
                scope: Any = self.cycle.scope
                scope[CLOSED_BY] = error
                headers[HEADER] = id_of(scope)
            else:
                headers[HEADER] = self._refused(error, self.client)
            reason = b'Refused'  # the codes and the sentence say more
            start = h11.Response(
                status_code=error.status, headers=list(headers.items()), reason=reason
            )
            for event in (start, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b'')
        if self._is_asked():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._close()

    def _is_asked(self) -> bool:
        """Whether there is a request that has not been answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _waits_for_client(self) -> bool:
        if self._unread is not None or not self._is_asked():
            return True
        return self.conn.their_state is h11.SEND_BODY and not self.cycle.response_started

    def _rate(self) -> float:
        return self._bytes / (self.loop.time() - self._since + 1)

    def _wait(self) -> None:
        """Wait for a request from now on."""
        self._stop_waiting()
        self._since, self._bytes = self.loop.time(), 0
        self._patience = self.loop.call_later(self.seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if self._bytes and not self.transport.is_closing():
            self.refuse(
                ServiceError(
                    'upload_timeout',
                    f'The header of the request did not arrive within {minutes(self.seconds)}.',
                )
            )
        else:
            self._close()

    def _make_room(self) -> None:
        """Close the connection that brings least, of all that wait for their client."""
        now = self.loop.time()
        others = [one for one in self.connections if isinstance(one, PatientProtocol)]
        waiting = [
            one
            for one in others
            if one is not self and not one.transport.is_closing() and one._waits_for_client()
        ]
        waiting = [one for one in waiting if now - one._since > _NEW] or waiting
        busy = ServiceError('busy', 'There are too many connections.', retry_after=5)
        if not waiting:
            self.refuse(busy)
            return
        least = min(waiting, key=lambda one: (one._rate(), one._since))
        if least._bytes:
            least.refuse(busy)
        else:
            least._close()

    def _close(self) -> None:
        self._stop_waiting()
        self.transport.close()
        # Without effect on one that is closed by then.
        self.loop.call_later(_FLUSH, self.transport.abort)
