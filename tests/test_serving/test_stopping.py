"""Decoding is ended with the server, by its limit, or by its own crash; each time in JSON."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import socket
import time

import httpx
import psutil
import pytest

from .conftest import ENDLESS, SERVE, start_server

DECODE_SECONDS = 3


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    """A server that decodes for three seconds at most, and may be hurt."""
    limit = ('--max-decode-seconds', DECODE_SECONDS)
    with start_server(tmp_path_factory, *SERVE, *limit) as running:
        yield running


@contextlib.contextmanager
def uploading(server, path, **query):
    """The answer, in the future, to an upload whose decoding has begun."""
    assert none_decodes(server)  # the one that is seen below is this upload's

    def send():
        with httpx.Client(base_url=server.url, timeout=120) as client:
            query_ = {'name': path.name, **query}
            return client.post('/api/videos', params=query_, content=path.read_bytes())

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send)
        end = time.monotonic() + 60
        while not decoders(server):
            assert time.monotonic() < end and not answer.done()
            time.sleep(0.02)
        yield answer


def decoders(server):
    """Processes that are at a video: grandchildren of the server."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            copy
            for child in server.process.children()
            for copy in child.children()
            if is_alive(copy) and copy.cmdline() == child.cmdline()
        ]
    return []


def none_decodes(server):
    """Whether no process is at a video; one that was killed a moment ago may need a moment."""
    end = time.monotonic() + 10
    while decoders(server):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_alive(process):
    # Nobody may be there who takes note that it ended.
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def code_of(answer):
    assert answer.headers['content-type'] == 'application/json'
    assert set(answer.json()) == {'error'} and set(answer.json()['error']) == {'code', 'message'}
    return answer.json()['error']['code']


def works(server, clips):
    """Whether the next video gets its tags."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        answer = client.post('/api/videos', content=clips['short'].read_bytes())
        assert answer.status_code == 201, answer.text
        address = f'/api/videos/{answer.json()["id"]}/tags'
        answer = client.post(address, json={'labels': ['red circle']})
        return answer.status_code == 200


def test_decoding_has_a_limit(own, endless, clips):
    """FAULTS E2: no time limit on a decode."""
    assert works(own, clips)
    start = time.monotonic()
    with uploading(own, endless, **ENDLESS) as future:
        answer = future.result()
    assert answer.status_code == 422 and code_of(answer) == 'decode_timeout'
    assert answer.json()['error']['message'] == (
        'endless.mp4 takes longer to decode than the 3 seconds allowed.'
    )
    assert DECODE_SECONDS <= time.monotonic() - start < DECODE_SECONDS + 3
    assert none_decodes(own) and works(own, clips) and not own.left_over()


@pytest.mark.parametrize('kind', [signal.SIGKILL, signal.SIGSEGV], ids=['memory', 'crash'])
def test_decoder_that_dies(own, endless, clips, kind):
    """FAULTS E2: what kills the decoder leaves the server, and the next video, alone."""
    with uploading(own, endless, **ENDLESS) as future:
        (process,) = decoders(own)
        process.send_signal(kind)
        answer = future.result(20)
    assert answer.status_code == 503 and code_of(answer) == 'decoder_crashed'
    assert works(own, clips)


@pytest.mark.slow
def test_process_of_decoders_that_dies(own, endless, clips):
    """FAULTS E2: also the process that the others are copies of; it is started again."""
    with uploading(own, endless, **ENDLESS) as future:
        (copy,) = decoders(own)
        copy.parent().kill()
        copy.kill()
        assert code_of(future.result(20)) == 'decoder_crashed'
    assert works(own, clips)


@pytest.mark.slow
def test_process_of_decoders_that_dies_as_it_is_asked(own, clips):
    """It was killed and had not ended yet: what it was asked is asked of the next one."""
    assert works(own, clips)
    (copied,) = (child for child in own.process.children() if '-I' in child.cmdline())
    copied.suspend()  # a request waits for it now
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(works, own, clips)
        time.sleep(2)
        assert not future.done()
        copied.kill()
        assert future.result(60)


def test_decoder_goes_with_a_client_that_waits_no_longer(own, endless, clips):
    """FAULTS E2: it still ends by its limit, and its file is gone."""
    content = endless.read_bytes()
    head = (
        f'POST /api/videos?window=0.1&stride=0.08 HTTP/1.1\r\nHost: {own.address[0]}\r\n'
        f'Content-Length: {len(content)}\r\n\r\n'
    )
    with socket.create_connection(own.address) as link:
        link.sendall(head.encode() + content)
        while not decoders(own):
            time.sleep(0.02)
    assert works(own, clips)
    assert none_decodes(own) and not own.left_over()


def test_ctrl_c_during_a_decode(own, endless):
    """FAULTS E2: the server ends within 3 seconds, and all that wait for it get JSON.

    One video is decoded, one waits, one arrives, and idle connections are open.
    """
    idle = [socket.create_connection(own.address) for _ in range(20)]
    half = socket.create_connection(own.address)
    half.sendall(
        f'POST /api/videos HTTP/1.1\r\nHost: {own.address[0]}\r\n'
        'Content-Length: 1000\r\n\r\nabc'.encode()
    )
    with uploading(own, endless, **ENDLESS) as first:
        (process,) = decoders(own)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            second = pool.submit(
                httpx.post, f'{own.url}/api/videos', content=endless.read_bytes(), timeout=60
            )
            while httpx.get(f'{own.url}/api/status').json()['queue']['videos'] < 3:
                time.sleep(0.02)
            for probe in ('/healthz', '/readyz'):  # they are answered while videos are decoded
                answer = httpx.get(own.url + probe, timeout=5)
                assert answer.status_code == 200 and answer.elapsed.total_seconds() < 1
            start = time.monotonic()
            own.process.send_signal(signal.SIGINT)
            own.process.wait(20)
            assert time.monotonic() - start < 3
            for answer in (first.result(), second.result()):
                assert answer.status_code == 503 and code_of(answer) == 'stopping'
    half.settimeout(5)
    assert b'"stopping"' in b''.join(iter(lambda: half.recv(4096), b''))
    for link in idle:
        link.close()
    assert not is_alive(process)
    assert 'Traceback' not in own.log.read_text()


def test_kill_leaves_nothing(tmp_path_factory, endless):
    """FAULTS E3: SIGKILL during a decode leaves neither a file nor a process.

    The folder is looked at when the server's fixture ends.
    """
    with start_server(tmp_path_factory, *SERVE) as server:
        with uploading(server, endless, **ENDLESS) as future:
            assert server.left_over() and not server.named()
            processes = server.process.children(recursive=True)
            server.process.kill()
            with pytest.raises(httpx.HTTPError):
                future.result(10)
        end = time.monotonic() + 10
        while any(map(is_alive, processes)):
            assert time.monotonic() < end
            time.sleep(0.1)
