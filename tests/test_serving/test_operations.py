"""What operators see of a server: probes, metrics, the access log, ids of requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest
import yaml

from ovmlv.apis import OVMLVInferencer
from ovmlv.cli import main, serve
from ovmlv.cli.app import command_parser
from ovmlv.errors import OutputError
from ovmlv.serving import AccessLog, ServingLimits, create_app
from ovmlv.serving.fork_server import ForkServer
from ovmlv.serving.health import Health
from ovmlv.serving.request_ids import request_id
from ovmlv.serving.service import TaggingService
from ovmlv.serving.service_error import CODES, ServiceError
from ovmlv.serving.tallies import Distribution

try:
    from prometheus_client import CollectorRegistry, Histogram, parser
except ModuleNotFoundError:
    parser = None
needs_client = pytest.mark.skipif(
    parser is None, reason="prometheus_client not installed: pip install 'ovmlv[metrics]'"
)
HEADER = 'X-Request-ID'


@pytest.fixture(scope='module')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu', labels=['red circle'])


def ask(app, *requests, address='http://localhost'):
    """Answers of an application in this process to requests, one after the other."""

    async def inside():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=address) as client:
            return [
                await client.request(*request[:2], **(request[2:] or [{}])[0])
                for request in requests
            ]

    return asyncio.run(inside())


def samples(text):
    """(name, sorted labels) -> value of each line of metrics."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def lines(server, id):
    """Lines of the access log with an id; the last one may need a moment."""
    end = time.monotonic() + 5
    while True:
        entries = [json.loads(line) for line in server.access_log.read_text().splitlines()]
        if found := [entry for entry in entries if entry['request_id'] == id]:
            return found
        assert time.monotonic() < end
        time.sleep(0.02)


# --- probes --------------------------------------------------------------------------------------


def test_a_server_lives_and_is_ready(client):
    for path, status in (('/healthz', 'alive'), ('/readyz', 'ready')):
        # Whoever probes knows an address, and no name of the server.
        answer = client.get(path, headers={'Host': '10.1.2.3:8000'})
        assert answer.status_code == 200 and answer.json() == {'status': status}
        assert answer.headers['cache-control'] == 'no-store'
        assert client.head(path).status_code == 200
        refused = client.post(path)
        assert refused.status_code == 405 and refused.headers['allow'] == 'GET, HEAD'


def test_one_that_is_stopped_lives_and_is_not_ready(inferencer):
    app = create_app(inferencer)
    app.state.watch.health.drain()  # requests are still answered
    ready, status = ask(app, ('GET', '/readyz'), ('GET', '/api/status'))
    assert ready.status_code == 503 and ready.json()['error']['code'] == 'stopping'
    assert status.status_code == 200
    app.state.stop()
    live, ready, other = ask(app, *[('GET', p) for p in ('/healthz', '/readyz', '/api/status')])
    assert [a.status_code for a in (live, ready, other)] == [200, 503, 503]
    assert other.json()['error']['code'] == 'stopping'


def test_mounted_at_a_path(inferencer):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount('/tag', create_app(inferencer))])
    live, status = ask(outer, ('GET', '/tag/healthz'), ('GET', '/tag/api/status'))
    assert live.status_code == status.status_code == 200 and live.headers[HEADER]


def test_not_ready_until_it_can_decode():
    """A process that ended is started again by the probe: no video comes that would do it."""
    decoders = ForkServer()
    health = Health(decoders, lambda: False, decoders.start)
    try:
        for starts in (1, 2):
            with pytest.raises(ServiceError, match='not ready yet') as caught:
                health.answer('/readyz')
            assert caught.value.status == 503 and caught.value.retry_after
            assert health.answer('/healthz')
            end = time.monotonic() + 10
            while decoders.pid is None:
                assert time.monotonic() < end
                time.sleep(0.01)
            assert decoders.starts == starts and not decoders.is_up()  # it imports
            decoders.stop()
            assert decoders.pid is None
    finally:
        decoders.stop()


@contextlib.contextmanager
def listening(app, drain_seconds):
    """The server of the command in a thread of this process; yields it and its address."""
    import uvicorn

    from ovmlv.serving.http_server import _Server

    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        started = threading.Event()
        config = uvicorn.Config(app, log_level='warning', ws='none')
        server = _Server(config, started.set, app, drain_seconds)
        thread = threading.Thread(target=server.run, kwargs=dict(sockets=[listener]))
        thread.start()
        try:
            assert started.wait(20)
            yield server, f'http://127.0.0.1:{listener.getsockname()[1]}'
        finally:
            server.should_exit = server.force_exit = True
            thread.join(20)
        assert not thread.is_alive()


def test_draining(inferencer):
    """Between the signal and the end, requests are answered, and /readyz sends others elsewhere."""
    with listening(create_app(inferencer), 60) as (server, url):
        server.should_exit = True  # as the first signal does it
        end = time.monotonic() + 20
        while 'stopping' not in httpx.get(f'{url}/readyz').text:
            assert time.monotonic() < end
            time.sleep(0.02)
        for path in ('/api/status', '/healthz'):
            assert httpx.get(url + path).status_code == 200
        server.force_exit = True  # as a second Ctrl+C does it
        with contextlib.suppress(httpx.TransportError):
            while httpx.get(f'{url}/healthz'):
                assert time.monotonic() < end


def test_the_image(repository, server):
    """Its command is one that the parser takes; its check passes on a server that lives."""
    text = (repository / 'Dockerfile').read_text().replace('\\\n', ' ')
    lists = dict(re.findall(r'^(ENTRYPOINT|CMD|HEALTHCHECK)[^[]*(\[.*\])$', text, re.M))
    entry, arguments, check = (json.loads(lists[k]) for k in ('ENTRYPOINT', 'CMD', 'HEALTHCHECK'))
    assert entry[:2] == ['ovmlv', 'serve']
    args = command_parser(serve, None).parse_args([*entry[2:], *arguments])
    assert (args.host, args.model, args.access_log) == ('0.0.0.0', 'motionshapes', '-')
    assert f'EXPOSE {args.port}' in text and f'127.0.0.1:{args.port}/healthz' in check[-1]
    assert all((repository / v).exists() for v in re.findall(r'requirements/\S+', text))
    assert check[0] == 'python'
    for url, status in ((server.url, 0), ('http://127.0.0.1:9', 1)):
        code = check[-1].replace(f'http://127.0.0.1:{args.port}', url)
        done = subprocess.run([sys.executable, check[1], code], stderr=subprocess.DEVNULL)
        assert done.returncode == status


# --- ids and the access log ----------------------------------------------------------------------


def test_ids_that_are_taken_and_made():
    for good in ('a', '7b0c', 'Root=1-67891233-abcdef012345678912345678', 'x' * 128, 'a/b:c+d=='):
        assert request_id([good]) == good
    for bad in ('', '-a', 'a b', 'a\n', 'é', '"', '<a>', 'a\x1b', 'x' * 129, '${jndi:x}', 'a,b'):
        made = request_id([bad])
        assert made != bad and re.fullmatch('[0-9a-f]{32}', made)
    assert request_id(['a', 'b']) not in ('a', 'b')
    assert request_id() != request_id()


def test_every_answer_has_an_id(client, server):
    assert client.get('/api/status', headers={HEADER: 'mine-1'}).headers[HEADER] == 'mine-1'
    for path, headers in (('/none', {}), ('/', {'Host': 'evil.example'}), ('/healthz', {})):
        assert re.fullmatch('[0-9a-f]{32}', client.get(path, headers=headers).headers[HEADER])
    # Also what is no HTTP at all, which no application sees.
    with socket.create_connection(server.address, timeout=20) as link:
        link.sendall(b'hello\r\n\r\n')
        answer = b''.join(iter(lambda: link.recv(65536), b'')).decode()
    id = re.search(r'(?i)x-request-id: (\w+)', answer)[1]
    (entry,) = lines(server, id)
    assert (entry['route'], entry['status'], entry['error']) == ('other', 400, 'invalid_request')
    assert entry['client'] == '127.0.0.1'
    # And a request whose body turns out to be none.
    head = f'POST /api/videos/x/tags HTTP/1.1\r\nHost: 127.0.0.1\r\n{HEADER}: chunk-1\r\n'
    with socket.create_connection(server.address, timeout=20) as link:
        link.sendall(f'{head}Transfer-Encoding: chunked\r\n\r\n'.encode())
        time.sleep(0.1)
        link.sendall(b'zz\r\n{}\r\n')
        answer = b''.join(iter(lambda: link.recv(65536), b'')).decode()
    assert answer.startswith('HTTP/1.1 400') and 'chunk-1' in answer
    (entry,) = lines(server, 'chunk-1')
    assert (entry['status'], entry['error']) == (400, 'invalid_request')
    assert entry['route'] == '/api/videos/{video}/tags'


def test_a_line_for_each_request(client, server, clips, upload):
    content = clips['short'].read_bytes()
    answer = client.post(
        '/api/videos',
        params={'name': 'holiday secret.mp4'},
        content=content,
        headers={HEADER: 'up-1'},
    )
    (entry,) = lines(server, 'up-1')
    assert entry['route'] == '/api/videos' and entry['method'] == 'POST'
    assert entry['status'] == 201 and entry['error'] is None
    assert entry['received_bytes'] == len(content) and entry['sent_bytes'] == len(answer.content)
    assert 0 < entry['seconds'] < answer.elapsed.total_seconds() + 1
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', entry['time'])
    key = answer.json()['id']
    address = f'/api/videos/{key}'
    client.get(f'{address}/frames', params={'label': 'a secret wish'}, headers={HEADER: 'why-1'})
    client.post(
        f'{address}/tags', json={'labels': ['a secret wish'] * 2}, headers={HEADER: 'bad-1'}
    )
    assert lines(server, 'why-1')[0]['route'] == '/api/videos/{video}/frames'
    (entry,) = lines(server, 'bad-1')
    assert (entry['status'], entry['error']) == (422, 'invalid_labels')
    text = server.access_log.read_text()
    assert text.isascii()
    # Nothing that a person wrote or sent, nor the key to the video.
    assert not [word for word in ('secret', key, 'target', '?') if word in text]


def test_targets_if_asked_and_faults_by_their_id(inferencer, tmp_path, monkeypatch, caplog):
    log = tmp_path / 'access.jsonl'
    app = create_app(inferencer, access_log=AccessLog(log, targets=True))
    ask(app, ('GET', '/api/videos/x/frames?label=é\u2028"', {}))
    entry = json.loads(log.read_text())
    assert (
        entry['target'].startswith('/api/videos/x/frames?label=%C3%A9')
        and log.read_text().isascii()
    )

    def fail(*args):
        raise RuntimeError('a mistake')

    monkeypatch.setattr(TaggingService, 'offered_banks', fail)
    fault = ('GET', '/api/status', dict(headers={HEADER: 'fault-1'}))
    (answer,) = ask(app, fault)
    assert answer.status_code == 500 and answer.headers[HEADER] == 'fault-1'
    (record,) = [r for r in caplog.records if 'fault-1' in r.getMessage()]
    assert record.exc_info and json.loads(log.read_text().splitlines()[-1])['error'] == 'internal'
    # As logrotate does it.
    log.rename(tmp_path / 'access.jsonl.1')
    ask(app, ('GET', '/healthz'))
    assert json.loads(log.read_text())['route'] == '/healthz'


def test_a_log_that_cannot_be_written(tmp_path, capsys, caplog, monkeypatch):
    with pytest.raises(OutputError, match='access.log cannot be written .* name another file'):
        AccessLog(tmp_path / 'none' / 'access.log')
    options = ['serve', '--model', 'motionshapes']
    for arguments, words in (
        (['--access-log', str(tmp_path)], 'cannot be written'),
        (['--access-log-targets'], 'needs --access-log'),
    ):
        assert main([*options, *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count('\n') == 1
    log = AccessLog('/dev/full')  # a full disk: told once, and nobody is refused for it
    for _ in range(3):
        log.write(a=1)
    assert [r.getMessage() for r in caplog.records if 'access log' in r.getMessage()] == [
        'the access log cannot be written: [Errno 28] No space left on device'
    ]


# --- metrics -------------------------------------------------------------------------------------


@needs_client
def test_metrics_count_what_was_done(client, server, clips, upload):
    def scrape():
        answer = client.get('/metrics')
        assert answer.status_code == 200
        assert answer.headers['content-type'].startswith('text/plain; version=')
        return samples(answer.text)

    before = scrape()
    content = clips['both'].read_bytes()
    video = client.post('/api/videos', content=content).json()
    tags = f'/api/videos/{video["id"]}/tags'
    words = [f'thing {i} of this test' for i in range(7)]
    for labels in (words[:5], words[:5], words):
        assert client.post(tags, json={'labels': labels}).status_code == 200
    assert client.post('/api/videos', content=b'no video at all').status_code == 415
    after = scrape()

    def grown(name, **labels):
        key = (f'ovmlv_{name}', tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    route = '/api/videos/{video}/tags'
    assert grown('http_requests_total', method='POST', route=route, status='200') == 3
    assert grown('http_requests_total', method='POST', route='/api/videos', status='201') == 1
    assert grown('http_errors_total', code='unsupported_format') == 1
    assert grown('http_received_bytes_total', route='/api/videos') == len(content) + 15
    assert grown('http_request_seconds_count', route=route) == 3
    assert grown('videos_decoded_total') == grown('video_decode_seconds_count') == 1
    assert grown('video_encode_seconds_count') == 1 and grown('video_encode_seconds_sum') > 0
    assert grown('video_length_seconds_sum') == pytest.approx(video['duration'], abs=0.2)
    assert grown('queue_wait_seconds_count', queue='videos') == 2  # the refused one had a place
    assert grown('queue_wait_seconds_count', queue='labels') == 3
    assert grown('labels_scored_total') == 17
    assert grown('label_cache_lookups_total', result='miss') == 7
    assert grown('label_cache_lookups_total', result='hit') == 10
    assert grown('videos_held') in (0, 1)  # the store may be full
    assert after['ovmlv_videos_held_bytes', ()] > 1000
    assert after['ovmlv_label_cache_bytes', ()] >= 7 * 128 * 4
    assert after['ovmlv_queue_limit', (('queue', 'videos'),)] == ServingLimits().queue
    assert after['ovmlv_ready', ()] == 1 and after['ovmlv_decoder_starts_total', ()] == 1
    process = server.process.memory_info().rss
    assert after['process_resident_memory_bytes', ()] == pytest.approx(process, rel=0.2)
    assert after['ovmlv_decoder_resident_bytes', ()] > 50e6


@needs_client
def test_strangers_make_no_new_series(client, clips):
    """Names of files, paths, methods, hosts, ids: what they make up counts as one."""

    def nonsense(number):
        word = f'made-up-{number}'
        client.get(f'/{word}')
        client.get(f'/api/videos/{word}', params={word: word})
        client.request(f'BREW{number}', '/api/status')
        client.get('/api/status', headers={'Host': f'{word}.example', HEADER: word})
        client.post('/api/videos', params={'name': f'{word}.mp4'}, content=b'no video')
        return client.get('/metrics').text

    first = samples(nonsense(0))
    for number in range(1, 8):
        text = nonsense(number)
    assert set(samples(text)) == set(first) and 'made-up' not in text


@needs_client
def test_each_server_has_its_own_numbers(inferencer):
    from prometheus_client import REGISTRY, generate_latest

    one, other = create_app(inferencer), create_app(inferencer)
    accept = {'Accept': 'application/openmetrics-text; version=1.0.0'}
    *_, answer = ask(one, *[('GET', '/api/status')] * 3, ('GET', '/metrics', dict(headers=accept)))
    assert answer.headers['content-type'].startswith('application/openmetrics-text')
    assert answer.text.endswith('# EOF\n')
    line = 'ovmlv_http_requests_total{method="GET",route="/api/status",status="200"} 3.0'
    assert line in answer.text.splitlines()
    (answer,) = ask(other, ('GET', '/metrics'))
    assert 'route="/api/status"' not in answer.text
    assert b'ovmlv' not in generate_latest(REGISTRY)


@needs_client
def test_the_page_for_operators_names_what_there_is(inferencer, repository):
    """Each metric, with its labels; rules and settings are YAML, and ask for these metrics."""
    page = (repository / 'docs' / 'operations.md').read_text(encoding='utf-8')
    (answer,) = ask(create_app(inferencer), ('GET', '/metrics'))
    families = list(parser.text_string_to_metric_families(answer.text))
    known = {f.name + '_total' * (f.type == 'counter') for f in families}
    known = {name for name in known if name.startswith('ovmlv')}
    table = page[page.index('| metric |') : page.index('Routes are those')]
    assert set(re.findall(r'`(ovmlv_\w+)`', table)) == known
    histograms = {f'{f.name}_{k}' for f in families if f.type == 'histogram'
                  for k in ('bucket', 'sum', 'count')}  # fmt: skip
    named = set(re.findall(r'\bovmlv_\w+', page)) - {'ovmlv_index', 'ovmlv_rules'}
    assert named <= known | histograms
    blocks = re.findall(r'^```yaml\n(.*?)^```$', page, re.M | re.S)
    probes, scrape, rules = map(yaml.safe_load, blocks)
    assert {probe['httpGet']['path'] for key, probe in probes.items() if 'Probe' in key} == {
        '/healthz', '/readyz'}  # fmt: skip
    assert scrape['scrape_configs'][0]['job_name'] == 'ovmlv'
    assert all(rule['expr'] for group in rules['groups'] for rule in group['rules'])
    codes = re.findall(r'code=~?"([\w|]+)"', page)
    assert {code for text in codes for code in text.split('|')} <= set(CODES)


def test_without_the_package(inferencer, monkeypatch):
    monkeypatch.setitem(sys.modules, 'prometheus_client', None)
    (answer,) = ask(create_app(inferencer), ('GET', '/metrics'))
    assert answer.status_code == 501 and answer.json() == {'error': {
        'code': 'no_metrics',
        'message': "Metrics need prometheus_client: pip install 'ovmlv[metrics]'.",
    }}  # fmt: skip
    assert CODES['no_metrics'][0] == 501


@needs_client
def test_buckets_are_those_of_prometheus_client():
    """Also for values on a bound, below all and above all."""
    bounds = (0.1, 0.5, 1, 2.5)
    ours, registry = Distribution(bounds), CollectorRegistry()
    theirs = Histogram('a', 'a', ['route'], buckets=bounds, registry=registry)
    rng = np.random.default_rng(0)
    for value in [*bounds, -1, 0, 100, *rng.exponential(1, 200)]:
        ours.add(float(value), 'x')
        theirs.labels('x').observe(float(value))
    ((labels, buckets, total),) = ours.items()
    (family,) = registry.collect()
    expected = {s.labels['le']: s.value for s in family.samples if s.name == 'a_bucket'}
    assert labels == ('x',) and dict(buckets) == expected
    assert total == pytest.approx(registry.get_sample_value('a_sum', {'route': 'x'}))


def test_counts_of_many_threads():
    counts = Distribution([1])
    threads = [
        threading.Thread(target=lambda: [counts.add(0.5) for _ in range(2000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(counts.items()) == [((), [('1.0', 8000.0), ('+Inf', 8000.0)], 4000.0)]
