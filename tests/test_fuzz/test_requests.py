"""Spoilt requests: an answer in the promised form, and never "the server made a mistake"."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.test_fuzz.cases import cases, generators
from tests.test_fuzz.mutations import ODD, mutate_bytes, mutate_json
from tests.test_serving.conftest import client, clips, damaged, indexed, server  # noqa: F401


@pytest.fixture(scope='module')
def key(client, clips):  # noqa: F811
    return client.post('/api/videos', content=clips['red circle'].read_bytes()).json()['id']


def check(answer: httpx.Response, case: object) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, (case, answer.text)
    if answer.status_code >= 400:
        error = answer.json()['error']
        assert set(error) == {'code', 'message'}, (case, error)
        assert error['message'].isprintable() and len(error['message']) < 1000, (case, error)


BODIES = (
    {'labels': ['red circle', 'a dog'], 'top_k': 2},
    {'bank': 'shapes', 'top_k': 3},
)


@pytest.mark.parametrize('numbers', cases('request'))
def test_bodies(client, key, numbers):  # noqa: F811
    for number, rng in generators(numbers, 'body'):
        body = mutate_json(json.dumps(BODIES[number % 2]).encode(), rng)
        headers = {'Content-Type': 'application/json'}
        check(client.post(f'/api/videos/{key}/tags', content=body, headers=headers), number)


@pytest.mark.parametrize('numbers', cases('request'))
def test_addresses(client, key, clips, numbers):  # noqa: F811
    places = (
        ('GET', '/api/videos/{id}/frames', ('label', 'count')),
        ('GET', '/api/videos/{id}/frames/{odd}.jpg', ()),
        ('GET', '/api/videos/{odd}', ()),
        ('POST', '/api/videos', ('name', 'window', 'stride')),
        ('GET', '/{odd}', ()),
    )
    video = clips['short'].read_bytes()
    for number, rng in generators(numbers, 'address'):
        method, path, names = places[rng.integers(len(places))]
        odd = [quote(ODD[i], safe='') for i in rng.integers(len(ODD), size=len(names) + 1)]
        query = '&'.join(f'{name}={value}' for name, value in zip(names, odd, strict=False))
        path = path.format(id=key, odd=odd[-1]) + ('?' + query if query else '')
        content = (
            video if method == 'POST' and number % 8 == 0 else b'' if method == 'GET' else b'x'
        )
        check(client.request(method, path, content=content), (number, path))


@pytest.mark.parametrize('numbers', cases('request'))
def test_raw_bytes(server, client, key, numbers):  # noqa: F811
    """Requests that are no HTTP any more: an answer or a closed connection, and it serves on."""
    address = urlsplit(server.url)
    body = b'{"labels": ["a dog"]}'
    head = (
        f'POST /api/videos/{key}/tags HTTP/1.1\r\nHost: {address.netloc}\r\n'
        f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n'
        'Connection: close\r\n\r\n'
    )
    for number, rng in generators(numbers, 'raw'):
        with socket.create_connection((address.hostname, address.port), timeout=30) as peer:
            peer.sendall(mutate_bytes(head.encode() + body, rng))
            peer.shutdown(socket.SHUT_WR)
            answer = b''
            try:
                while piece := peer.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        status = answer[:12]
        assert not answer or status.startswith(b'HTTP/1.1 '), (number, answer[:200])
        assert not status.startswith(b'HTTP/1.1 500'), (number, answer[:500])
    assert client.get('/api/status').status_code == 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=8,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.fixed_dictionaries({}, optional=dict(labels=_JSON, bank=_JSON, top_k=_JSON)))
def test_fields_of_any_type(client, key, wanted):  # noqa: F811
    body = json.dumps(wanted)
    headers = {'Content-Type': 'application/json'}
    check(client.post(f'/api/videos/{key}/tags', content=body, headers=headers), body)


@pytest.mark.parametrize('numbers', cases('request')[:1])
def test_uploads(client, clips, numbers):  # noqa: F811
    data = clips['short'].read_bytes()
    for number, rng in generators(numbers, 'upload'):
        check(client.post('/api/videos?name=x', content=mutate_bytes(data, rng)), number)
