"""The outermost layer of the server: request ids, probes, counts and the access log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access_log import AccessLog
from .guard import HEADERS
from .health import LIVE, READY, Health
from .monitor import Monitor
from .request_ids import HEADER, id_of, request_id
from .service_error import CODE_HEADER, ServiceError

#: Key of a request's scope: the error by which its connection was closed.
CLOSED_BY = 'ovmlv.closed_by'
#: Methods that are told apart, and routes that are none of ours. Whatever clients make up counts
#: as ``other``, so that the numbers of a server do not grow without end.
_METHODS = {'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'}
_OTHER = 'other'
#: Status of a request whose client went away before it was answered, as nginx has it.
_GONE = 499


class Observer:
    """ASGI middleware.

    Probes are answered here, before any check: whoever sends them knows an address rather than a
    name of the server.

    Args:
        app: Application that answers.
        watch: What it counts, and where it writes.
        routes: Function that gives the routes of the application.
    """

    def __init__(
        self, app: ASGIApp, watch: Watch, routes: Callable[[], Iterable[BaseRoute]]
    ) -> None:
        self.app, self.watch, self.routes = app, watch, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and note what came of it."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        exchange = Exchange(id_of(scope))
        # A copy, for an application around this one leaves its own route there.
        inner = dict(scope)
        inner.pop('route', None)

        async def counted_receive() -> Message:
            message = await receive()
            exchange.received += len(message.get('body', b''))
            return message

        async def counted_send(message: Message) -> None:
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                headers[HEADER] = exchange.id
                exchange.status, exchange.code = message['status'], headers.get(CODE_HEADER)
            else:
                exchange.sent += len(message.get('body', b''))
            await send(message)

        path = scope['path'].removeprefix(scope.get('root_path', ''))
        self.watch.monitor.in_progress += 1
        try:
            if path in (LIVE, READY):
                await self._probe(path, scope, counted_send)
            else:
                await self.app(inner, counted_receive, counted_send)
        finally:
            self.watch.monitor.in_progress -= 1
            closed_by = scope.get(CLOSED_BY)
            if closed_by is not None:  # that is what was sent, whatever came of it here
                exchange.status, exchange.code = closed_by.status, closed_by.code
            route = path if path in (LIVE, READY) else self._route(inner)
            self.watch.note(exchange, scope, route)

    async def _probe(self, path: str, scope: Scope, send: Send) -> None:
        headers = {'Content-Type': 'application/json', **HEADERS}
        try:
            if scope['method'] not in ('GET', 'HEAD'):
                headers['Allow'] = 'GET, HEAD'
                raise ServiceError('method_not_allowed')
            status, body = 200, self.watch.health.answer(path)
        except ServiceError as error:
            status, body = error.status, error.body()
            headers.update(error.headers)
        headers['Content-Length'] = str(len(body))
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({'type': 'http.response.start', 'status': status, 'headers': raw})
        await send({'type': 'http.response.body', 'body': body})

    def _route(self, scope: Scope) -> str:
        """The route as it is declared, such as ``/api/videos/{video}``, without what is asked."""
        if (route := scope.get('route')) is None:  # refused before it was found
            for candidate in self.routes():
                match, child = candidate.matches(scope)
                if match is not Match.NONE:
                    route = child.get('route', candidate)
                    break
        return getattr(route, 'path', _OTHER)


class Exchange:
    """A request and what was answered.

    Attributes:
        id: Its id.
        received: Bytes of its body that came.
        sent: Bytes of the answer's body.
        status: Status of the answer; None before there is one.
        code: Code of the error; None without one.
    """

    def __init__(self, id: str) -> None:
        self.id, self.received, self.sent = id, 0, 0
        self.status: int | None = None
        self.code: str | None = None
        self.begun, self._clock = datetime.now(timezone.utc), time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.perf_counter() - self._clock


class Watch:
    """What is kept of requests: counts, and lines of the access log.

    Args:
        monitor: The counts.
        health: What answers probes.
        log: The access log; None writes none.
    """

    def __init__(self, monitor: Monitor, health: Health, log: AccessLog | None = None) -> None:
        self.monitor, self.health, self.log = monitor, health, log

    def refused(self, error: ServiceError, client: Any = None) -> str:
        """Note a connection that was refused before a request was read from it; gives an id."""
        exchange = Exchange(request_id())
        exchange.status, exchange.code = error.status, error.code
        self.note(exchange, dict(method=_OTHER, client=client), _OTHER)
        return exchange.id

    def note(self, exchange: Exchange, scope: Scope, route: str) -> None:
        """Count a request and write its line."""
        status, seconds = exchange.status or _GONE, exchange.seconds
        method = scope['method'] if scope['method'] in _METHODS else _OTHER
        monitor = self.monitor
        monitor.requests.add(method, route, str(status))
        monitor.answer.add(seconds, route)
        monitor.received.add(route, by=exchange.received)
        monitor.sent.add(route, by=exchange.sent)
        if exchange.code is not None:
            monitor.errors.add(exchange.code)
        if self.log is None:
            return
        client = scope.get('client')
        entry = dict(
            time=exchange.begun.isoformat(timespec='milliseconds').replace('+00:00', 'Z'),
            request_id=exchange.id,
            client=client[0] if client else None,
            method=method,
            route=route,
            status=status,
            error=exchange.code,
            seconds=round(seconds, 6),
            received_bytes=exchange.received,
            sent_bytes=exchange.sent,
        )
        if self.log.targets and 'path' in scope:
            query = scope.get('query_string', b'').decode('latin-1')
            entry['target'] = scope['path'] + (f'?{query}' if query else '')
        self.log.write(**entry)
