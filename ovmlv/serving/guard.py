"""The checks of every request: who may ask, how much is read, and the headers of answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .arrivals import Arrivals
from .limits import ServingLimits, megabytes
from .open_requests import OpenRequests
from .request_ids import REQUEST_ID
from .service_error import ServiceError

LOG = logging.getLogger('ovmlv.serving')
HEADERS = {
    # No inline scripts or styles, nothing from elsewhere, no frame around the page. ``blob:`` is
    # the video on the visitor's own disk.
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    'Cache-Control': 'no-store',
}
_READ_SECONDS = 30.0


class Guard:
    """ASGI middleware.

    Args:
        app: Application that answers.
        limits: Limits of the server.
        hosts: Names of the server; None allows any name. A page of another site can make its own
            name mean this computer, but it cannot change the ``Host`` header.
        decoded: Function that gives the number of videos that were decoded.
        upload_path: Path of requests whose body is left to the application.
        requests: Requests that are worked on.
        uploads: Bodies of uploads that arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: ServingLimits,
        hosts: Collection[str] | None,
        decoded: Callable[[], int],
        upload_path: str,
        requests: OpenRequests,
        uploads: Arrivals,
    ) -> None:
        self.app, self.limits, self.decoded, self.upload_path = app, limits, decoded, upload_path
        self.requests, self.uploads = requests, uploads
        self.bodies = Arrivals(limits.score_queue, limits.request_bytes, limits)
        self.hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it before anything of its body is read."""
        if scope['type'] != 'http':
            if scope['type'] == 'lifespan':
                await self.app(scope, receive, send)
            return  # web sockets are closed
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message['type'] == 'http.response.start':
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers['X-Videos-Decoded'] = str(self.decoded())
            await send(message)

        try:
            with self.requests.enter() as request, contextlib.ExitStack() as until_answered:
                try:
                    self.requests.check()
                    headers = Headers(scope=scope)
                    self._check_host(headers)
                    if scope['method'] not in ('GET', 'HEAD', 'OPTIONS'):
                        _check_site(headers)
                        # The path where this application is mounted.
                        path = scope['path'].removeprefix(scope.get('root_path', ''))
                        arrivals = self.uploads if path == self.upload_path else self.bodies
                        receive = until_answered.enter_context(
                            arrivals.expect(receive, request.refuse)
                        )
                        if arrivals is self.bodies:
                            receive = await self._read(receive)
                    await self.app(scope, receive, send_with_headers)
                except asyncio.CancelledError:
                    if request.refusal is None:
                        raise
                    raise request.refusal from None
        except ServiceError as error:
            if not started:
                await answer(error, send_with_headers)
        except Exception:
            # The log has the traceback; the client learns nothing of it.
            number = scope.get(REQUEST_ID, 'none')
            LOG.exception('%s %s failed (request %s)', scope['method'], scope['path'], number)
            if not started:
                await answer(ServiceError('internal'), send_with_headers)

    def _check_host(self, headers: Headers) -> None:
        host = _host_of(headers.get('host', ''))
        if self.hosts is not None and host not in self.hosts:
            raise ServiceError(
                'wrong_host',
                f'This server does not have the name {host!r}; its owner can allow it '
                '(allowed_hosts).',
            )

    async def _read(self, receive: Receive) -> Receive:
        """The whole body, within the limits, to be received again."""
        parts, size = [], 0

        async def read() -> None:
            nonlocal size
            more = True
            while more:
                message = await receive()
                if message['type'] == 'http.disconnect':
                    raise ServiceError('upload_timeout', 'The client went away.')
                size += len(message.get('body', b''))
                if size <= self.limits.request_bytes:
                    parts.append(message.get('body', b''))
                elif size > 64 * self.limits.request_bytes:
                    break
                more = message.get('more_body', False)

        try:
            await asyncio.wait_for(read(), _READ_SECONDS)
        except asyncio.TimeoutError:
            raise ServiceError('upload_timeout') from None
        if size > self.limits.request_bytes:
            raise ServiceError(
                'request_too_large',
                f'The request has more than the {megabytes(self.limits.request_bytes)} allowed.',
            )
        message: Message | None = {'type': 'http.request', 'body': b''.join(parts)}

        async def again() -> Message:
            nonlocal message
            if message is None:
                return await receive()
            now, message = message, None
            return now

        return again


def _check_site(headers: Headers) -> None:
    """Refuse what the script or form of another site sends through a visitor's browser."""
    site, origin = headers.get('sec-fetch-site'), headers.get('origin')
    if site is not None:
        foreign = site not in ('same-origin', 'none')
    else:
        foreign = origin is not None and urlsplit(origin).netloc != headers.get('host', '')
    if foreign:
        raise ServiceError('cross_site')


def _host_of(header: str) -> str:
    """A ``Host`` header without its port."""
    if header.startswith('['):
        return header.partition(']')[0].lower() + ']'
    return header.partition(':')[0].lower()


async def answer(error: ServiceError, send: Send) -> None:
    """Send an error."""
    body = error.body()
    headers = {**error.headers, 'Content-Length': str(len(body))}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({'type': 'http.response.start', 'status': error.status, 'headers': raw})
    await send({'type': 'http.response.body', 'body': body})
