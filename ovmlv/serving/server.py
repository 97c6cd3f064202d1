"""Start the server."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError, DependencyError

from .access_log import AccessLog
from .limits import ServingLimits

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ovmlv.apis import LabelBank
    from ovmlv.index import VideoIndex

_LOCAL = ('localhost', '127.0.0.1', '[::1]')


def create_app(
    inferencer: Any,
    limits: ServingLimits | None = None,
    banks: Mapping[str, LabelBank | str | Path] | None = None,
    allowed_hosts: Collection[str] | None = _LOCAL,
    access_log: AccessLog | None = None,
    index: VideoIndex | str | Path | None = None,
    samples: Sequence[str | Path] = (),
) -> FastAPI:
    """The page and the API as an ASGI application.

    Args:
        inferencer: An ``OVMLVInferencer``.
        limits: Limits of what is taken; None takes the default limits.
        banks: Name -> label bank, or its folder, that visitors may choose.
        allowed_hosts: Names, without port, by which browsers reach the server; None allows any
            name.
        access_log: Where a line is written for every request; None writes none.
        index: A video index of the same model, or its folder, that visitors may ask.
        samples: Video files that visitors may choose in place of one of their own.

    Raises:
        DependencyError: FastAPI is not installed, or LanceDB for an index.
        FileNotFoundError: There is no index in the folder.
        CheckpointError: The index was made by another model.
    """
    try:
        from .app import build_app
        from .service import TaggingService
    except ModuleNotFoundError as error:
        if error.name not in ('fastapi', 'starlette', 'pydantic', 'anyio'):
            raise
        raise _missing(error.name) from None
    limits = limits or ServingLimits()
    service = TaggingService(inferencer, limits, banks)
    asked = None
    if index is not None:
        from .index_service import IndexService

        asked = IndexService(index, inferencer, limits)
    return build_app(service, limits, allowed_hosts, access_log, asked, samples)


def serve(
    inferencer: Any,
    host: str = '127.0.0.1',
    port: int = 8000,
    limits: ServingLimits | None = None,
    banks: Mapping[str, LabelBank | str | Path] | None = None,
    allowed_hosts: Collection[str] | None = None,
    access_log: AccessLog | None = None,
    drain_seconds: float = 0,
    index: VideoIndex | str | Path | None = None,
    samples: Sequence[str | Path] = (),
) -> bool:
    """Serve until interrupted. Clients that are served then get an error, and serving ends at once.

    Args:
        inferencer: An ``OVMLVInferencer``.
        host: Address to listen on. By default, only this computer reaches it; anybody who reaches
            the server can use it.
        port: Port to listen on; 0 takes a free one, which is printed.
        limits: See :func:`create_app`.
        banks: See :func:`create_app`.
        allowed_hosts: See :func:`create_app`; by default, the names of this computer on a loopback
            address, and any name on other addresses.
        access_log: See :func:`create_app`.
        drain_seconds: Seconds for which requests are still answered after a signal, while
            ``/readyz`` says that the server is not ready.
        index: See :func:`create_app`.
        samples: See :func:`create_app`.

    Returns:
        True, when it was interrupted.

    Raises:
        ConfigError: The address cannot be used.
        DependencyError: FastAPI or uvicorn is not installed, or LanceDB for an index.
    """
    try:
        from .http_server import run
    except ModuleNotFoundError as error:
        if error.name not in ('fastapi', 'starlette', 'uvicorn', 'h11'):
            raise
        raise _missing(error.name) from None
    local = _is_loopback(host)
    if allowed_hosts is None and local:
        allowed_hosts = {*_LOCAL, host}
    app = create_app(inferencer, limits, banks, allowed_hosts, access_log, index, samples)
    listener = _listen(host, port)
    bound, port = listener.getsockname()[:2]
    name = f'[{bound}]' if ':' in bound else bound

    def announce() -> None:
        if not local:
            print(
                f'warning: others may reach {host}, and there is no log-in; see docs/serving.md',
                file=sys.stderr,
            )
        print(f'Tag videos at http://{name}:{port}/ (the API: /docs). Ctrl+C ends it.', flush=True)

    logging.getLogger('ovmlv.serving').setLevel(logging.INFO)
    with listener:
        run(app, listener, limits or ServingLimits(), announce, drain_seconds)
    return True


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise ConfigError(
            f'cannot listen on {host} port {port} ({reason}); give another --port or --host'
        ) from None
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def _missing(name: str | None) -> DependencyError:
    return DependencyError(f'{name} is not installed: pip install fastapi uvicorn')
