"""Many requests at once from another process: none is lost or mixed up, memory stays bounded."""

from __future__ import annotations

import concurrent.futures
import itertools
import random

import httpx
import pytest

from .conftest import LIMITS

COLORS = ('red', 'green', 'blue', 'yellow')
WORDS = [f'{c} {s}' for c in COLORS for s in ('circle', 'star', 'square', 'cross', 'heart')]
MEGABYTE = 2**20


def storm(server, clips, count, labels_each, concurrency=8, uploads=0):
    """Ask for random labels of random videos; every answer is compared with a slow one.

    Returns:
        Megabytes that the server grew by from the first tenth of the requests to the end.
    """
    names = ['red circle', 'blue star', 'green square', 'yellow cross']
    limits = httpx.Limits(max_connections=concurrency)
    with httpx.Client(base_url=server.url, timeout=120, limits=limits) as client:

        def upload(name):
            answer = client.post('/api/videos', content=clips[name].read_bytes())
            assert answer.status_code == 201, answer.text
            return answer.json()['id']

        keys = {name: upload(name) for name in names}
        expected = {}
        for name, key in keys.items():
            tags = client.post(f'/api/videos/{key}/tags', json={'labels': WORDS}).json()['tags']
            expected[name] = {tag['label']: tag for tag in tags}
        # They can be told apart: no label is as probable for two videos.
        for word in WORDS:
            values = sorted(expected[name][word]['probability'] for name in names)
            assert all(b > 1.01 * a for a, b in itertools.pairwise(values)), word

        def ask(seed):
            rng = random.Random(seed)
            if uploads and seed % uploads == 0:
                upload(rng.choice(names))
            name = rng.choice(names)
            labels = rng.sample(WORDS, rng.randint(1, labels_each))
            answer = client.post(f'/api/videos/{keys[name]}/tags', json={'labels': labels})
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found['id'] == keys[name] and found['num_labels'] == len(labels)
            assert {tag['label'] for tag in found['tags']} == set(labels)
            for tag in found['tags']:
                one = expected[name][tag['label']]
                assert tag['probability'] == pytest.approx(one['probability'], 1e-3)
                assert tag['timeline'] == pytest.approx(one['timeline'], 1e-3)
            return seed

        with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
            first = list(pool.map(ask, range(count // 10)))
            before = server.process.memory_info().rss
            rest = list(pool.map(ask, range(count // 10, count)))
        assert first + rest == list(range(count))
        status = client.get('/api/status').json()
        assert status['queue'] == {'videos': 0, 'labels': 0}
    return (server.process.memory_info().rss - before) / MEGABYTE


def test_some_requests(server, clips):
    assert storm(server, clips, 80, labels_each=5) < 100


def test_more_uploads_than_the_queue_takes(server, clips):
    """Each gets an answer, also one that is refused while it sends."""
    content = clips['short'].read_bytes()
    content += bytes(LIMITS['upload_bytes'] - len(content))

    def send(_):
        answer = httpx.post(f'{server.url}/api/videos', content=content, timeout=120)
        if answer.status_code == 503:
            assert answer.json()['error']['code'] == 'busy'
            assert int(answer.headers['retry-after']) >= 1
        return answer.status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, range(16)))
    assert set(statuses) == {201, 503}
    assert statuses.count(201) >= 8


@pytest.mark.slow
def test_a_thousand_requests(server, clips):
    """Eight at a time, 20 uploads among them."""
    grown = storm(server, clips, 1000, labels_each=len(WORDS), uploads=50)
    print(f'{server.process.memory_info().rss / MEGABYTE:.0f} MB, grown by {grown:.0f} MB')
    assert grown < 150
    assert server.process.memory_info().rss < 2500 * MEGABYTE
    assert not server.left_over()


@pytest.mark.slow
def test_memory_with_many_oversized_uploads(server):
    """A hundred files over the limit leave nothing, in memory or on the disk."""
    with httpx.Client(base_url=server.url, timeout=120) as client:
        content = b'\0\0\0\x18ftypmp42' + bytes(4_000_000)

        def send(number):
            body = content if number % 2 else iter([content[:1_000_000]] * 4)
            return client.post('/api/videos', content=body).status_code

        assert send(0) == 413
        before = server.process.memory_info().rss
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert set(pool.map(send, range(100))) <= {413, 503}
        grown = (server.process.memory_info().rss - before) / MEGABYTE
    assert grown < 60 and not server.left_over()
