"""What is no HTTP, sent as it is: an error of the one form, or a closed connection."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

HOST = b'Host: 127.0.0.1\r\n'
POST = b'POST /api/videos/x/tags HTTP/1.1\r\n' + HOST
CHUNKED = POST + b'Transfer-Encoding: chunked\r\n\r\n'
#: Name -> bytes and the status of the answer; 0: closed without one.
RAW = {
    'a word': (b'hello\r\n\r\n', 400),
    'request line without version': (b'GET /\r\n\r\n', 400),
    'unknown version': (b'GET / HTTP/9.9\r\n' + HOST + b'\r\n', None),
    'http/2 preface': (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(9), (400, 421)),
    'tls hello': (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(200) + b'\r\n\r\n', 400),
    'null bytes': (bytes(100) + b'\r\n\r\n', 400),
    'null in the address': (b'GET /\0 HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'null in a header': (b'GET / HTTP/1.1\r\n' + HOST + b'A: \0\r\n\r\n', 400),
    'no host': (b'GET / HTTP/1.1\r\n\r\n', 400),
    'two hosts': (b'GET / HTTP/1.1\r\n' + HOST + HOST + b'\r\n', 400),
    'old version': (b'GET / HTTP/1.0\r\n\r\n', 421),
    'header without colon': (b'GET / HTTP/1.1\r\n' + HOST + b'nonsense\r\n\r\n', 400),
    'long header': (b'GET / HTTP/1.1\r\n' + HOST + b'A: ' + b'x' * 100_000, 431),
    'long address': (b'GET /' + b'x' * 100_000 + b' HTTP/1.1\r\n' + HOST + b'\r\n', (404, 431)),
    'many headers': (b'GET / HTTP/1.1\r\n' + HOST + b'A: b\r\n' * 20_000, 431),
    'length of letters': (POST + b'Content-Length: x\r\n\r\n', 400),
    'length below zero': (POST + b'Content-Length: -1\r\n\r\n', 400),
    'two lengths': (POST + b'Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}', 400),
    'endless length': (POST + b'Content-Length: ' + b'9' * 5000 + b'\r\n\r\n', 400),
    'bad chunk': (CHUNKED + b'zz\r\n{}\r\n0\r\n\r\n', 400),
    'chunk below zero': (CHUNKED + b'-1\r\n{}\r\n0\r\n\r\n', 400),
    'chunk of another length': (CHUNKED + b'1\r\n{"labels"\r\n0\r\n\r\n', 400),
    'chunk of any length': (CHUNKED + b'f' * 30 + b'\r\n', 400),
    'unknown coding': (POST + b'Transfer-Encoding: gzip\r\n\r\n', (400, 501)),
    'upgrade to web sockets': (
        b'GET /api/none HTTP/1.1\r\n' + HOST + b'Connection: upgrade\r\nUpgrade: websocket\r\n'
        b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        404,
    ),
    'upgrade to http/2': (
        b'GET /api/none HTTP/1.1\r\n' + HOST + b'Connection: Upgrade, HTTP2-Settings\r\n'
        b'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
        404,
    ),
    'connect': (b'CONNECT other:443 HTTP/1.1\r\n' + HOST + b'\r\n', (400, 404, 405)),
    'a star': (b'OPTIONS * HTTP/1.1\r\n' + HOST + b'\r\n', (400, 404, 405)),
    'another server': (b'GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n', 421),
    'unknown method': (b'BREW / HTTP/1.1\r\n' + HOST + b'\r\n', 405),
    'more than its length': (POST + b'Content-Length: 2\r\n\r\n{}\0\0\0\r\n\r\n', (400, 404)),
}  # fmt: skip


def ask(server, content):
    """All that the server sends until it closes, or has answered."""
    with socket.create_connection(server.address, timeout=8) as link:
        link.sendall(content)
        answer = b''
        while True:
            try:
                piece = link.recv(65536)
            except (ConnectionResetError, TimeoutError):
                piece = b''
            answer += piece
            if not piece or answer.endswith(b'}}'):
                return answer


@pytest.mark.parametrize('name', RAW)
def test_no_http(server, name):
    """FAULTS E3: malformed HTTP without the promised JSON."""
    content, wanted = RAW[name]
    answer = ask(server, content)
    head, _, body = answer.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 '), answer
    status = int(head.split()[1])
    assert wanted is None or status in (wanted if isinstance(wanted, tuple) else (wanted,)), answer
    if status != 200:
        assert b'content-type: application/json' in head.lower()
        error, _ = json.JSONDecoder().raw_decode(body.decode())  # others may follow
        error = error['error']
        assert set(error) == {'code', 'message'} and error['message'].endswith('.')
        assert b'content-security-policy' in head.lower()
    assert httpx.get(f'{server.url}/api/status').status_code == 200


def test_bad_chunk_of_an_upload(server):
    """FAULTS E3: after a good one, while the application reads."""
    head = b'POST /api/videos HTTP/1.1\r\n' + HOST + b'Transfer-Encoding: chunked\r\n\r\n'
    answer = ask(server, head + b'4\r\n\0\0\0\x18\r\nnonsense\r\n')
    assert answer.startswith(b'HTTP/1.1 400') and b'"invalid_request"' in answer
    assert httpx.get(f'{server.url}/api/status').json()['queue']['videos'] == 0


ODD_NUMBERS = (
    '1e308', '-1e308', '1e309', 'nan', '-nan', 'inf', '-inf', 'Infinity', '5e-324', '-0', '0', '-1',
    '9' * 400, '-' + '9' * 400, '9' * 5000, '0x10', '1_000', '%00', '1%00', '%D9%A1', '%ED%A0%80',
    '%FF', '', '%20', '1;2', '1,5', 'true', 'null', '[]', '1e-400', '1' + '0' * 19,
)  # fmt: skip
ODD_TEXTS = ('%00', '%ED%A0%80', '%F0%9F', '%FF%FE', '%0A', '%E2%80%AE', '..%2F..%2Fx', 'x' * 9000)


@pytest.fixture(scope='module')
def key(client, clips):
    return client.post('/api/videos', content=clips['short'].read_bytes()).json()['id']


@pytest.mark.parametrize('value', ODD_NUMBERS, ids=range(len(ODD_NUMBERS)))
def test_odd_numbers_in_addresses(client, clips, key, value):
    """FAULTS E3: ``stride=1e308`` gave 500."""
    content = clips['short'].read_bytes()
    for address, body in (
        (f'/api/videos?window={value}', content),
        (f'/api/videos?stride={value}', content),
        (f'/api/videos?window={value}&stride={value}', content),
        (f'/api/videos/{key}/frames?label=a&count={value}', None),
        (f'/api/videos/{key}/frames/{value}.jpg', None),
    ):
        method = 'GET' if body is None else 'POST'
        check(client.request(method, address, content=body), address)


@pytest.mark.parametrize('value', ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_odd_texts_in_addresses(client, clips, key, value):
    """FAULTS E3: NUL, halves of surrogate pairs, and no UTF-8."""
    for address in (
        f'/{value}', f'/api/{value}', f'/api/videos/{value}', f'/api/videos/{value}/tags',
        f'/api/videos/{key}/frames?label={value}', f'/api/videos/{key}/frames?{value}={value}',
        f'/api/videos/{key}/frames/{value}.jpg', f'/api/videos/{value}/frames/0.jpg',
    ):  # fmt: skip
        for method in ('GET', 'DELETE', 'POST', 'PUT'):
            check(client.request(method, address), (method, address[:80]))
    name = client.post(f'/api/videos?name={value}', content=clips['short'].read_bytes())
    check(name, value)
    assert client.get(f'/api/videos/{key}').status_code == 200


BODIES = (
    '{"labels": ["a"], "top_k": %s}', '{"labels": [%s]}', '{"labels": %s}', '{"bank": %s}',
    '{"labels": ["a"], %s: 1}', '%s',
)  # fmt: skip
ODD_JSON = (
    '1e308', '1e999', 'NaN', '-Infinity', '9' * 400, '9' * 5000, '"\\u0000"', '"\\ud800"', '"\0"',
    '"\\udc00\\ud800"', '[' * 3000, '{"a":' * 3000, '[' * 3000 + ']' * 3000, 'null', 'true', '-0.0',
    '""', '"\u202e"', '"' + 'x' * 9000 + '"', '{"labels": ["a"]}', '"shapes"', '[[]]', '1.0', '1e0',
)  # fmt: skip


@pytest.mark.parametrize('value', ODD_JSON, ids=range(len(ODD_JSON)))
def test_odd_bodies(client, key, value):
    """FAULTS E3: huge numbers, deep nesting, NUL and halves of surrogate pairs in every field."""
    for body in BODIES:
        content = (body % value).encode()
        for kind in ('application/json', 'text/plain', 'application/json; charset=utf-16'):
            headers = {'Content-Type': kind}
            answer = client.post(f'/api/videos/{key}/tags', content=content, headers=headers)
            check(answer, content[:80])


def check(answer, case):
    assert answer.status_code < 500, (case, answer.text)
    if answer.status_code >= 400:
        assert answer.headers['content-type'] == 'application/json', case
        assert set(answer.json()) == {'error'}, case
        error = answer.json()['error']
        assert set(error) == {'code', 'message'} and len(error['message']) < 300, case
        assert error['message'].endswith('.') and '\n' not in error['message'], case
