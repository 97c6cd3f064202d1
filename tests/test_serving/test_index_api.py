"""A video index over HTTP, by a server in another process."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
from pathlib import Path

import httpx
import pytest
from PIL import Image

from ovmlv.errors import CheckpointError, DependencyError
from ovmlv.serving import create_app

from .conftest import SERVE, index_missing, start_server, write_scenes
from .test_app import error_of
from .test_server import run

pytestmark = pytest.mark.skipif(bool(index_missing()), reason=index_missing())


@pytest.fixture(scope='module')
def asked(server, indexed, plain_inferencer):
    """The index as this process reads it."""
    from ovmlv.index import VideoIndex

    return VideoIndex.open(indexed.index, plain_inferencer)


@pytest.fixture(scope='module')
def ask(client):
    """A function that finds, and gives the answer."""

    def post(query, **options) -> httpx.Response:
        return client.post('/api/index/find', json=dict(query=query, **options))

    return post


def raw(server, target, method='GET'):
    """Status and body of a request, sent as it is: clients tidy paths up."""
    host, port = server.address
    with socket.create_connection((host, port), timeout=20) as link:
        head = f'{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'
        link.sendall(head.encode())
        answer = b''.join(iter(lambda: link.recv(65536), b''))
    head, _, body = answer.partition(b'\r\n\r\n')
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    ('query', 'options'),
    [
        ('red circle', {}),
        ('red circle', dict(top=2)),
        ('red circle', dict(per='window', top=100)),
        ('red circle AND NOT blue star', dict(per='window')),
        ('"red circle" OR (green square AND NOT blue star)', dict(threshold=0.5)),
        ('red circle OR blue star', dict(negative=['blue star'], threshold=0.5)),
        ('blue star', dict(after=3.0, per='window')),
        ('red circle', dict(before=1.0, per='window')),
        ('green square', dict(within='*star*')),
        ('red circle', dict(within='/nowhere')),
    ],
)
def test_same_hits_as_the_index(ask, asked, query, options):
    answer = ask(query, **options)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    expected = asked.find(query, **{'top': 60, **options})
    assert found['query'] == expected.query
    keys = ('video', 'start', 'end', 'probability', 'labels')
    assert [{key: hit[key] for key in keys} for hit in found['hits']] == [
        hit.to_dict() for hit in expected
    ]
    # What is exported is what the command writes.
    assert ''.join(hit['jsonl'] for hit in found['hits']) == expected.to_json()
    header = 'query,video,start,end,probability\n'
    assert header + ''.join(hit['csv'] for hit in found['hits']) == expected.to_csv()
    rows = list(csv.DictReader(io.StringIO(expected.to_csv())))
    assert [row['video'] for row in rows] == [hit.video for hit in expected]


def test_present_is_the_threshold_of_the_calibration(ask, asked):
    found = ask('red circle', present=True, per='window').json()['hits']
    expected = asked.find('red circle', 60, threshold='calibrated', per='window')
    assert [hit['video'] for hit in found] == [hit.video for hit in expected] and found


def test_what_the_index_holds(client, asked, indexed):
    found = client.get('/api/index').json()
    assert found['videos'] == len(asked) and found['windows'] == len(asked.snapshot)
    assert (found['unread'], found['window'], found['calibrated']) == (1, 1.0, False)
    assert client.get('/api/status').json()['index'] is True


def test_nothing_is_decoded(ask):
    queries = ('red circle', 'a boat', 'a boat AND NOT rain')
    assert len({ask(query).headers['x-videos-decoded'] for query in queries}) == 1


def test_pictures(client, ask, indexed):
    hits = ask('red circle', per='window', top=3).json()['hits']
    for hit in hits:
        answer = client.get('/' + hit['picture'])
        assert answer.headers['content-type'] == 'image/jpeg'
        red, _, blue = Image.open(io.BytesIO(answer.content)).resize((1, 1)).getpixel((0, 0))
        assert red > blue
    # One that no answer has named, of a video of several windows.
    longer = next(hit for hit in hits if Path(hit['video']).stem != 'short')
    last = longer['picture'].rpartition('/')[0]
    assert client.get(f'/{last}/1.jpg').status_code == 200
    answer = client.get(f'/{last}/999.jpg')
    assert answer.status_code == 404 and error_of(answer) == 'not_found'


@pytest.fixture(scope='module')
def file(ask):
    """Address and content of a video."""
    (hit,) = ask('red circle', top=1).json()['hits']
    return '/' + hit['file'], Path(hit['video']).read_bytes()


@pytest.mark.parametrize(
    ('wanted', 'start', 'end'),
    [
        ('bytes=0-', 0, None),
        ('bytes=0-0', 0, 1),
        ('bytes=10-99', 10, 100),
        ('bytes=100-', 100, None),
        ('bytes=-7', -7, None),
        ('bytes=-99999999', 0, None),
        ('bytes=5-99999999', 5, None),
        ('bytes= 3 - 4', 3, 5),
    ],
)
def test_parts_of_a_file(client, file, wanted, start, end):
    address, content = file
    answer = client.get(address, headers={'Range': wanted})
    part = content[start:end]
    first = content.index(part) if start else 0
    assert answer.status_code == 206 and answer.content == part
    assert (
        answer.headers['content-range'] == f'bytes {first}-{first + len(part) - 1}/{len(content)}'
    )
    assert answer.headers['content-length'] == str(len(part))
    assert answer.headers['content-type'] == 'video/mp4'


@pytest.mark.parametrize(
    'wanted',
    [None, 'bytes=0-1,3-4', 'bytes=9-3', 'bytes=-', 'bytes=x-', 'lines=0-1', 'bytes=' + '9' * 5000],
)
def test_whole_file(client, file, wanted):
    """Also for ranges that make no sense, which the standard has servers ignore."""
    address, content = file
    answer = client.get(address, headers={} if wanted is None else {'Range': wanted})
    assert answer.status_code == 200 and answer.content == content
    assert answer.headers['accept-ranges'] == 'bytes'


def test_ranges_on_conditions(client, file):
    address, content = file
    head = client.head(address)
    assert head.status_code == 200 and head.content == b''
    assert head.headers['content-length'] == str(len(content))
    same = {'Range': 'bytes=0-4', 'If-Range': head.headers['etag']}
    assert client.get(address, headers=same).status_code == 206
    other = {'Range': 'bytes=0-4', 'If-Range': '"another"'}
    assert client.get(address, headers=other).status_code == 200
    for wanted in (f'bytes={len(content)}-', 'bytes=-0'):
        answer = client.get(address, headers={'Range': wanted})
        assert answer.status_code == 416 and error_of(answer) == 'range_too_far'
        assert answer.headers['content-range'] == f'bytes */{len(content)}'


def test_only_what_the_index_names(server, client, ask, indexed, file):
    """By ids that nobody can make up, and never by a path."""
    key = file[0].split('/')[4]
    secret = indexed.folder / 'secret.mp4'
    secret.write_bytes(file[1])
    wrong = [
        'nothing', '0', key.split('-')[0], key[:-1] + ('0' if key[-1] != '0' else '1'), key + '0',
        '1-' + '0' * 24, 'f' * 17 + '-' + '0' * 24, '%00', '..', '%2e%2e', '..%2f..%2fetc%2fpasswd',
        '%2fetc%2fpasswd',
        str(secret).replace('/', '%2f'), '\\..\\secret.mp4', '%D9%A3-' + '0' * 24,
    ]  # fmt: skip
    for one in wrong:
        for target in (f'/api/index/videos/{one}/file', f'/api/index/videos/{one}/windows/0.jpg'):
            status, body = raw(server, target)
            assert status in (400, 404), one
            assert json.loads(body)['error']['code'] in ('unknown_video', 'not_found'), one
            assert content_of(body)
    for target in (
        f'/api/index/videos/{key}/../../../../etc/passwd',
        f'/api/index/videos/{key}/file/../../../{secret}',
        f'/api/index/videos/{key}/file%2f..%2f..%2fsecret.mp4',
        f'/api/index/videos/{secret}/file',
        f'/api/index/videos/{key}/windows/..%2f..%2fsecret.jpg',
        f'/api/index/videos/{key}/windows/{"9" * 5000}.jpg',
    ):
        status, body = raw(server, target)
        assert status in (400, 404) and content_of(body)
    # A name of a folder is compared with paths, and never opened.
    for within in (str(indexed.folder), '../..', '/etc/passwd\0', '[' * 500, '*' * 900):
        answer = ask('red circle', within=within)
        assert answer.status_code == 200
        assert str(secret) not in answer.text


def content_of(body):
    return b'ftyp' not in body and b'root:' not in body


@pytest.mark.parametrize(
    ('content', 'status', 'code'),
    [
        (dict(query='red AND'), 422, 'invalid_query'),
        (dict(query=''), 422, 'invalid_query'),
        (dict(query='  '), 422, 'invalid_query'),
        (dict(query='(a'), 422, 'invalid_query'),
        (dict(query='"a'), 422, 'invalid_query'),
        (dict(query='a) b'), 422, 'invalid_query'),
        (dict(query='(' * 5000), 422, 'invalid_query'),
        (dict(query='NOT ' * 2000 + 'a'), 422, 'invalid_query'),
        (dict(query='a', negative=['']), 422, 'invalid_query'),
        (dict(query='x' * 101), 422, 'invalid_labels'),
        (dict(query='a\0b'), 422, 'invalid_query'),
        (dict(query='\ud800'), 400, 'invalid_request'),
        (dict(query='a', negative=[f'n{i}' for i in range(60)]), 422, 'too_many_labels'),
        (dict(query='x' * 10_001), 400, 'invalid_request'),
        (dict(query=['a']), 400, 'invalid_request'),
        (dict(), 400, 'invalid_request'),
        (dict(query='a', top=0), 400, 'invalid_request'),
        (dict(query='a', threshold=1.1), 400, 'invalid_request'),
        (dict(query='a', per='frame'), 400, 'invalid_request'),
        (dict(query='a', folder='/etc'), 400, 'invalid_request'),
        (dict(query='a', within='x' * 1001), 400, 'invalid_request'),
    ],
)
def test_what_is_refused(client, content, status, code):
    body = json.dumps(content)
    headers = {'Content-Type': 'application/json'}
    answer = client.post('/api/index/find', content=body, headers=headers)
    error = answer.json()['error']
    assert (answer.status_code, error['code']) == (status, code)
    assert len(error['message']) < 300 and error['message'].endswith('.')
    assert not error['message'].startswith(("'", '"'))


def test_numbers_that_are_none(client):
    for number in ('NaN', 'Infinity', '1e999'):
        answer = client.post(
            '/api/index/find',
            content=f'{{"query": "a", "after": {number}}}',
            headers={'Content-Type': 'application/json'},
        )
        assert answer.status_code == 400


def test_files_that_are_gone_or_others(client, ask, indexed, tmp_path):
    (hit,) = ask('yellow cross', top=1).json()['hits']
    path, address = Path(hit['video']), '/' + hit['file']
    assert path.name == 'yellow cross.mp4'
    kept = shutil.copy2(path, tmp_path)
    cases = []
    try:
        path.unlink()
        cases.append((client.get(address), 'is no longer on the disk of the server'))
        path.write_bytes(b'other content')
        cases.append((client.get(address), 'has changed since it came into the index'))
        path.unlink()
        os.mkfifo(path)
        cases.append((client.get(address), 'is no file any more'))
        path.unlink()
        path.symlink_to('/dev/zero')
        cases.append((client.get(address), 'is no file any more'))
        path.unlink()
        path.write_bytes(bytes(Path(kept).stat().st_size))  # as long, but no video
        answer = client.get(address)
        assert answer.status_code == 415 and error_of(answer) == 'unsupported_format'
    finally:
        path.unlink(missing_ok=True)
        shutil.copy2(kept, path)
    for answer, words in cases:
        assert answer.status_code == 404 and error_of(answer) == 'file_gone'
        assert answer.json()['error']['message'] == f'yellow cross.mp4 {words}.'
    assert client.get(address).status_code == 200
    assert client.get('/' + hit['picture']).status_code == 200


def test_other_sites_are_refused(client, ask):
    answer = client.post(
        '/api/index/find', json=dict(query='a'), headers={'Sec-Fetch-Site': 'cross-site'}
    )
    assert answer.status_code == 403
    assert client.get('/').headers['content-security-policy'].count("media-src 'self'") == 1


def test_the_index_grows_shrinks_and_goes(tmp_path, clips, plain_inferencer):
    """Each question is asked of the index as it is by then, and errors name no folder."""
    from ovmlv.index import VideoIndex

    folder, videos = tmp_path / 'index', tmp_path / 'videos'
    videos.mkdir()
    index = VideoIndex.create(folder, plain_inferencer, window=1.0)

    async def steps(client):
        async def find(query='red circle'):
            return await client.post('/api/index/find', json=dict(query=query))

        empty = (await find()).json()
        assert (empty['videos'], empty['hits']) == (0, [])
        assert (await client.get('/api/index')).json()['videos'] == 0
        for name in ('red circle', 'blue star'):
            shutil.copy2(clips[name], videos)
            index.add(videos)
        found = (await find()).json()
        assert (found['videos'], found['hits'][0]['name']) == (2, 'red circle.mp4')
        first = found['hits'][0]
        (videos / 'red circle.mp4').rename(videos / 'moved.mp4')
        index.add(videos)
        index.optimize()
        again = (await find()).json()['hits'][0]
        assert again['name'] == 'moved.mp4' and again['id'] == first['id']
        index.remove(videos / 'moved.mp4')
        assert [hit['name'] for hit in (await find()).json()['hits']] == ['blue star.mp4']
        gone = await client.get('/' + first['file'])
        assert gone.status_code == 404 and error_of(gone) == 'unknown_video'
        # Another model's index takes its place.
        settings = json.loads((folder / 'index.json').read_text())
        settings['encoder']['fingerprint'] = 'another'
        (folder / 'index.json').write_text(json.dumps(settings))
        answer = await find()
        assert answer.status_code == 503 and error_of(answer) == 'index_unreadable'
        assert 'another model' in answer.json()['error']['message']
        shutil.rmtree(folder)
        answer = await find()
        assert answer.status_code == 503 and error_of(answer) == 'index_unreadable'
        assert str(tmp_path) not in answer.text
        VideoIndex.create(folder, plain_inferencer, window=1.0).add(videos)
        assert len((await find()).json()['hits']) == 2

    run(create_app(plain_inferencer, index=index), steps)


def test_without_an_index(monkeypatch, plain_inferencer):
    """Nothing of LanceDB is needed, and the addresses say what to do."""
    import sys

    for name in ('lancedb', 'pyarrow'):
        monkeypatch.setitem(sys.modules, name, None)

    async def steps(client):
        assert (await client.get('/api/status')).json()['index'] is False
        for answer in (
            await client.get('/api/index'),
            await client.post('/api/index/find', json=dict(query='a')),
            await client.get('/api/index/videos/0-000000000000000000000000/file'),
            await client.get('/api/index/videos/x/windows/0.jpg'),
        ):
            assert answer.status_code == 404 and error_of(answer) == 'no_index'
            assert '--index' in answer.json()['error']['message']

    run(create_app(plain_inferencer), steps)
    with pytest.raises(DependencyError, match='needs lancedb: pip install'):
        create_app(plain_inferencer, index='nowhere')


def test_no_index_or_one_of_another_model(tmp_path, server, indexed, plain_inferencer):
    with pytest.raises(FileNotFoundError, match='ovmlv index add'):
        create_app(plain_inferencer, index=tmp_path)
    other = shutil.copytree(indexed.index, tmp_path / 'other')
    settings = json.loads((other / 'index.json').read_text())
    settings['encoder']['fingerprint'] = 'another'
    (other / 'index.json').write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match='index .*other'):
        create_app(plain_inferencer, index=other)


@pytest.mark.slow
def test_command(tmp_path_factory, clips):
    """The model is that of the index."""
    from ovmlv.index import VideoIndex

    folder = tmp_path_factory.mktemp('own') / 'index'
    VideoIndex.create(folder, 'motionshapes', device='cpu').add(clips['both'].parent)
    command = ('-m', 'ovmlv', 'serve', '--device', 'cpu', '--port', 0, '--index', folder)
    with start_server(tmp_path_factory, *command) as running:
        answer = httpx.post(f'{running.url}/api/index/find', json=dict(query='red circle'))
        names = [hit['name'] for hit in answer.json()['hits']]
        assert set(names[:3]) == {'both.mp4', 'red circle.mp4', 'short.mp4'}
    with start_server(tmp_path_factory, *SERVE) as running:
        maps = Path(f'/proc/{running.process.pid}/maps').read_text()
        assert 'lancedb' not in maps and 'lance' not in maps


def test_what_the_command_refuses(tmp_path, capsys):
    from ovmlv.cli import main

    for arguments, words in (
        ([], 'give --model, or --index'),
        (['--index', str(tmp_path)], 'ovmlv index add'),
    ):
        assert main(['serve', *arguments]) == 2
        err = capsys.readouterr().err
        assert words in err and err.count('\n') == 1


@pytest.mark.slow
def test_large_files_are_sent_in_parts(tmp_path, plain_inferencer):
    """A client that goes away ends the reading, and the file is closed."""
    from ovmlv.index import VideoIndex

    path = write_scenes(tmp_path / 'long.mp4', *[('plain', 'red', 'circle')] * 2)
    with path.open('ab') as file:
        file.write(b'\0\0\0\x08free' * 500_000)  # boxes that players skip
    index = VideoIndex.create(tmp_path / 'index', plain_inferencer)
    index.add(path)

    async def steps(client):
        hit = (await client.post('/api/index/find', json=dict(query='a'))).json()['hits'][0]
        content = path.read_bytes()
        answer = await client.get('/' + hit['file'])
        assert answer.content == content
        answer = await client.get('/' + hit['file'], headers={'Range': 'bytes=1000000-3000000'})
        assert answer.content == content[1_000_000:3_000_001]
        links = [os.readlink(link) for link in Path('/proc/self/fd').iterdir() if link.is_symlink()]
        assert str(path) not in links

    run(create_app(plain_inferencer, index=index), steps)
