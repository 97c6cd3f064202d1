"""The application in this process, where things that last can be made to last."""

import asyncio
import socket
import sys
import threading

import httpx
import pytest

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.errors import ConfigError, DependencyError
from ovmlv.serving import ServingLimits, create_app, serve
from ovmlv.serving.service_error import ServiceError
from ovmlv.serving.windows import choose_windows


@pytest.fixture(scope='module')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu', labels=['red circle', 'blue star'])


def run(app, steps):
    """Run ``async steps(client)`` against an application."""

    async def inside():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url='http://localhost') as client:
            return await steps(client)

    return asyncio.run(inside())


async def upload(client, path):
    answer = await client.post('/api/videos', content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return answer.json()['id']


def test_same_numbers_as_the_inferencer(inferencer, clips):
    """For the same windows, and for the labels that are the default here."""

    async def steps(client):
        answer = await client.post(
            '/api/videos?window=2&stride=1', content=clips['both'].read_bytes()
        )
        return (await client.post(f'/api/videos/{answer.json()["id"]}/tags', json={})).json()

    found = run(create_app(inferencer), steps)
    (expected,) = inferencer(clips['both'], window=2, stride=1)
    assert {tag['label'] for tag in found['tags']} == set(expected.labels)
    for tag in found['tags']:
        column = expected.labels.index(tag['label'])
        assert tag['probability'] == pytest.approx(expected.probabilities[column], abs=2e-6)
        assert tag['timeline'] == pytest.approx(
            expected.window_probabilities[:, column].tolist(), abs=2e-6
        )
    assert found['windows'] == [dict(start=w.start, end=w.end) for w in expected.windows]


class Held:
    """Stops an inferencer's method until it is let go."""

    def __init__(self, monkeypatch, inferencer, name):
        self.entered, self.free = threading.Event(), threading.Event()
        method = getattr(inferencer, name)

        def held(*args, **kwargs):
            self.entered.set()
            assert self.free.wait(30)
            return method(*args, **kwargs)

        monkeypatch.setattr(inferencer, name, held)


def test_full_queues_say_when_to_come_back(monkeypatch, inferencer, clips):
    """One video is looked at and one waits; the third is refused. Labels are scored meanwhile."""
    app = create_app(inferencer, ServingLimits(queue=2, score_queue=2))

    async def steps(client):
        key = await upload(client, clips['red circle'])
        held = Held(monkeypatch, inferencer, 'encode')
        waiting = [asyncio.create_task(upload(client, clips['both'])) for _ in range(2)]
        while not held.entered.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert (await client.get('/api/status')).json()['queue']['videos'] == 2
        refused = await client.post('/api/videos', content=clips['both'].read_bytes())
        assert refused.status_code == 503 and int(refused.headers['retry-after']) >= 1
        assert refused.json()['error']['code'] == 'busy'
        tags = await client.post(f'/api/videos/{key}/tags', json={'labels': ['red circle']})
        assert tags.status_code == 200
        held.free.set()
        assert len(set(await asyncio.gather(*waiting))) == 2
        assert (await client.get('/api/status')).json()['queue'] == {'videos': 0, 'labels': 0}

        held = Held(monkeypatch, inferencer, 'score')
        ask = client.post(f'/api/videos/{key}/tags', json={'labels': ['red circle']})
        again = client.post(f'/api/videos/{key}/tags', json={'labels': ['blue star']})
        waiting = [asyncio.create_task(ask), asyncio.create_task(again)]
        while not held.entered.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        refused = await client.post(f'/api/videos/{key}/tags', json={'labels': ['a']})
        assert refused.status_code == 503
        held.free.set()
        answers = [answer.json()['tags'][0]['label'] for answer in await asyncio.gather(*waiting)]
        assert answers == ['red circle', 'blue star']

    run(app, steps)


def test_faults_tell_nothing(monkeypatch, inferencer, clips, caplog):
    """A fault of the server is logged and answered in general; the queue goes on."""

    async def steps(client):
        key = await upload(client, clips['red circle'])
        with monkeypatch.context() as broken:

            def fail(*args):
                raise RuntimeError('secret /path')

            broken.setattr(inferencer, 'score', fail)
            answer = await client.post(f'/api/videos/{key}/tags', json={'labels': ['a']})
            assert answer.status_code == 500 and 'secret' not in answer.text
            assert answer.json()['error']['code'] == 'internal'
            assert answer.headers['x-content-type-options'] == 'nosniff'
        answer = await client.post(f'/api/videos/{key}/tags', json={'labels': ['a']})
        assert answer.status_code == 200

    run(create_app(inferencer), steps)
    assert 'secret' in caplog.text


def test_only_so_many_videos_are_kept(inferencer, clips):
    async def steps(client):
        keys = [await upload(client, clips['red circle']) for _ in range(3)]
        codes = [(await client.get(f'/api/videos/{key}')).status_code for key in keys]
        assert codes == [404, 200, 200]
        assert (await client.get('/api/status')).json()['videos'] == 2

    run(create_app(inferencer, ServingLimits(videos=2)), steps)


def test_slow_upload(inferencer):
    async def slow():
        for _ in range(100):
            yield b'\0\0\0\x18ftypmp42'
            await asyncio.sleep(0.05)

    async def steps(client):
        answer = await client.post('/api/videos', content=slow())
        assert answer.status_code == 408
        assert answer.json()['error']['code'] == 'upload_timeout'
        assert (await client.get('/api/status')).json()['queue']['videos'] == 0

    run(create_app(inferencer, ServingLimits(upload_seconds=0.2)), steps)


def test_calibration_gives_thresholds(inferencer, clips):
    from ovmlv.evaluation.score_calibration import Calibration

    calibrated = OVMLVInferencer(
        inferencer.model, calibration=Calibration(1.0, 0.0, 0.3, {'red circle': 0.7})
    )

    async def steps(client):
        key = await upload(client, clips['red circle'])
        labels = {'labels': ['red circle', 'a dog']}
        return (await client.post(f'/api/videos/{key}/tags', json=labels)).json()['tags']

    found = {tag['label']: tag['threshold'] for tag in run(create_app(calibrated), steps)}
    assert found == {'red circle': pytest.approx(0.7), 'a dog': pytest.approx(0.3)}


def test_a_bank_as_default_labels_is_offered(inferencer, clips, tmp_path):
    bank = LabelBank.build(inferencer.model, ['red circle', 'blue star', 'green heart'])
    bank.save(tmp_path / 'bank')
    banked = OVMLVInferencer(inferencer.model, labels=bank)
    app = create_app(banked, banks={'saved': tmp_path / 'bank'})

    async def steps(client):
        status = (await client.get('/api/status')).json()
        assert [b['name'] for b in status['banks']] == ['default', 'saved']
        key = await upload(client, clips['red circle'])
        for name in ('default', 'saved'):
            found = await client.post(f'/api/videos/{key}/tags', json={'bank': name, 'top_k': 1})
            assert found.json()['tags'][0]['label'] == 'red circle'

    run(app, steps)
    with pytest.raises(ConfigError, match='more than bank_labels=2'):
        create_app(banked, ServingLimits(bank_labels=2))


@pytest.mark.parametrize(
    ('duration', 'window', 'stride', 'expected'),
    [
        (2, None, None, (1, 0.5)),
        (64, None, None, (4, 2)),
        (64, 3, None, (3, 1.5)),
        (64, None, 1, (2, 1)),
        (64, 3, 3, (3, 3)),
        (0, None, None, (1, 0.5)),
    ],
)
def test_windows(duration, window, stride, expected):
    assert choose_windows(duration, window, stride, 240) == expected


@pytest.mark.parametrize(('window', 'stride'), [(0, None), (1, -1), (float('inf'), 1), (1, 2)])
def test_bad_windows(window, stride):
    with pytest.raises(ServiceError) as caught:
        choose_windows(10, window, stride, 240)
    assert caught.value.code == 'invalid_request'


def test_port_in_use(inferencer):
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf'cannot listen on 127\.0\.0\.1 port {port}'):
            serve(inferencer, port=port)


def test_missing_package(monkeypatch, inferencer):
    monkeypatch.delitem(sys.modules, 'ovmlv.serving.app', raising=False)
    monkeypatch.setitem(sys.modules, 'fastapi', None)
    with pytest.raises(DependencyError, match='fastapi is not installed: pip install fastapi'):
        create_app(inferencer)


def test_inside_another_application(inferencer, clips):
    """Mounted at a path, uploads have their own limit, and the page is there."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    app = create_app(inferencer, ServingLimits(request_bytes=1000))

    async def steps(client):
        answer = await client.post('/tag/api/videos', content=clips['short'].read_bytes())
        assert answer.status_code == 201
        assert (await client.get('/tag/')).text.startswith('<!doctype html>')
        answer = await client.post('/tag/api/videos/x/tags', content=b'x' * 1001)
        assert answer.status_code == 413

    run(Starlette(routes=[Mount('/tag', app)]), steps)
