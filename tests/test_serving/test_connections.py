"""Clients that connect and then do nothing, or hardly anything, keep nobody else out."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time

import httpx
import pytest

from .conftest import SERVE, start_server

HEAD = 'POST /api/videos{} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n'
TAGS = HEAD.format('/x/tags', 1000)
CHUNKED = 'Transfer-Encoding: chunked'
#: What each kind of connection sends, and whether it is told why it is closed.
KINDS = {
    'nothing': ('', False),
    'half a request line': ('GET /api/sta', True),
    'half a header': ('GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAccep', True),
    'half an upload': (HEAD.format('', 100_000) + 'x' * 1000, True),
    'no body': (HEAD.format('', 100_000), True),
    'half a body': (TAGS + '{"labels": [', True),
    'half a chunk': (TAGS.replace('Content-Length: 1000', CHUNKED) + 'ff', True),
    'kept alive': ('GET /icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', False),
    'body behind its answer': (TAGS.replace('POST /api/videos/x/tags', 'GET /icon.svg'), False),
    'drips a header': ('GET /api/status HTTP/1.1\r\n', True),
    'drips an upload': (HEAD.format('', 100_000), True),
    'drips a body': (TAGS, True),
}  # fmt: skip


def connect(server, kind):
    link = socket.create_connection(server.address, timeout=20)
    link.sendall(KINDS[kind][0].encode())
    return link


def visit(server, clips):
    """Seconds in which somebody gets the page, the status, and the tags of a video."""
    start = time.monotonic()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.get('/').status_code == 200
        assert client.get('/api/status').status_code == 200
        answer = client.post('/api/videos', content=clips['short'].read_bytes())
        assert answer.status_code == 201, answer.text
        address = f'/api/videos/{answer.json()["id"]}/tags'
        assert client.post(address, json={'labels': ['red circle']}).status_code == 200
    return time.monotonic() - start


def until_closed(links, seconds):
    """Kind -> what came, once all connections are closed; those that drip go on meanwhile."""
    came = dict.fromkeys(links, b'')
    end, next_drop = time.monotonic() + seconds, 0.0
    with selectors.DefaultSelector() as ready:
        for kind, link in links.items():
            ready.register(link, selectors.EVENT_READ, kind)
        while ready.get_map():
            assert time.monotonic() < end, [key.data for key in ready.get_map().values()]
            if time.monotonic() > next_drop:
                next_drop = time.monotonic() + 0.5
                for key in list(ready.get_map().values()):
                    if key.data.startswith('drips'):
                        with contextlib.suppress(OSError):
                            key.fileobj.send(b'x')
            for key, _ in ready.select(0.2):
                try:
                    piece = key.fileobj.recv(65536)
                except ConnectionResetError:
                    piece = b''
                came[key.data] += piece
                if not piece:
                    ready.unregister(key.fileobj)
                    key.fileobj.close()
    return came


@pytest.mark.slow
def test_three_hundred_that_do_nothing(server, clips):
    """FAULTS E1: 260 connections without a request, and everybody got 503.

    With the limits of a server that nobody has set: a visitor is served while they are open, and
    they are closed in their time.
    """
    kinds = list(KINDS)
    others = [connect(server, kinds[i % len(kinds)]) for i in range(300 - len(kinds))]
    watched = {kind: connect(server, kind) for kind in kinds}
    try:
        assert visit(server, clips) < 10
        came = until_closed(watched, 20)
    finally:
        for link in [*others, *watched.values()]:
            link.close()
    for kind, (_, told) in KINDS.items():
        assert (b'"upload_timeout"' in came[kind]) == told, (kind, came[kind])
        assert came[kind].startswith(b'HTTP/1.1 ') == (kind != 'nothing')
    assert visit(server, clips) < 10


@pytest.fixture(scope='module')
def crowded(tmp_path_factory):
    """A server that has room for twenty connections."""
    with start_server(tmp_path_factory, *SERVE, '--max-connections', 20) as running:
        yield running


@pytest.mark.parametrize('kind', ['nothing', 'half a header', 'half an upload', 'half a body'])
def test_more_connections_than_there_may_be(crowded, clips, kind):
    """FAULTS E1: those that bring least make room, however many they are."""
    links = [connect(crowded, kind) for _ in range(100)]
    try:
        assert visit(crowded, clips) < 10
    finally:
        for link in links:
            link.close()
