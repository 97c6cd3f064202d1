"""The HTTP API of a server in another process."""

import io
import json
import socket
import time

import httpx
import numpy as np
import pytest
from PIL import Image

LABELS = ['blue star', 'red circle', 'green square']
SCRIPTS = ('/page.js', '/timeline.js', '/tabs.js', '/player.js', '/find.js')


def error_of(answer):
    """Code of a typed error, whose message is a sentence that tells nothing of the server."""
    assert answer.headers['content-type'] == 'application/json'
    error = answer.json()['error']
    assert set(error) == {'code', 'message'}
    assert error['message'][0].isupper() or error['message'].split()[0].islower()
    assert error['message'].endswith('.')
    assert not {'/tmp', 'Traceback', 'site-packages'} & set(error['message'].split())
    return error['code']


def test_upload_labels_result(client, clips, upload):
    answer = upload(clips['red circle'])
    assert answer.status_code == 201
    video = answer.json()
    assert video['name'] == 'red circle.mp4'
    assert video['duration'] == pytest.approx(2, abs=0.2)
    assert len(video['windows']) > 1
    found = client.post(f'/api/videos/{video["id"]}/tags', json={'labels': LABELS})
    assert found.status_code == 200
    tags = found.json()['tags']
    assert next(tag['label'] for tag in tags) == 'red circle'
    assert tags[0]['probability'] > 0.5 > tags[1]['probability']
    for tag in tags:
        assert len(tag['timeline']) == len(video['windows'])
        assert tag['probability'] == max(tag['timeline'])
        assert tag['threshold'] is None
    assert client.get(f'/api/videos/{video["id"]}').json() == video


def test_other_labels_decode_nothing(client, clips, upload):
    key = upload(clips['blue star']).json()['id']
    before = client.get('/api/status').json()['videos_decoded']
    for labels in (['blue star'], ['red circle', 'blue star'], LABELS, ['a boat']):
        found = client.post(f'/api/videos/{key}/tags', json={'labels': labels})
        assert {tag['label'] for tag in found.json()['tags']} == set(labels)
        assert int(found.headers['x-videos-decoded']) == before
    client.get(f'/api/videos/{key}/frames', params={'label': 'star'})
    assert client.get('/api/status').json()['videos_decoded'] == before
    upload(clips['blue star'])
    assert client.get('/api/status').json()['videos_decoded'] == before + 1


def test_timeline_and_frames_say_when(client, clips, upload):
    """A red circle in the first three seconds, a blue star in the others."""
    video = upload(clips['both'], window=1, stride=1).json()
    tags = client.post(f'/api/videos/{video["id"]}/tags', json={'labels': LABELS}).json()['tags']
    timeline = {tag['label']: tag['timeline'] for tag in tags}
    assert len(video['windows']) == 6
    assert min(timeline['red circle'][:3]) > 0.5 > max(timeline['red circle'][3:])
    assert min(timeline['blue star'][3:]) > max(timeline['blue star'][:3])
    for label, late in (('red circle', False), ('blue star', True)):
        address = f'/api/videos/{video["id"]}/frames'
        frames = client.get(address, params={'label': label, 'count': 4}).json()['frames']
        assert len(frames) == 4
        assert all((frame['time'] > 3) == late for frame in frames)
        scores = [frame['probability'] for frame in frames]
        assert scores == sorted(scores, reverse=True)
        picture = client.get('/' + frames[0]['picture'])
        assert picture.headers['content-type'] == 'image/jpeg'
        red, _, blue = Image.open(io.BytesIO(picture.content)).resize((1, 1)).getpixel((0, 0))
        assert (blue > red) == late


def test_bank(client, clips, upload):
    assert client.get('/api/status').json()['banks'] == [{'name': 'shapes', 'labels': 48}]
    key = upload(clips['yellow cross']).json()['id']
    found = client.post(f'/api/videos/{key}/tags', json={'bank': 'shapes', 'top_k': 3}).json()
    assert found['num_labels'] == 48 and len(found['tags']) == 3
    assert found['tags'][0]['label'] == 'yellow cross'
    alone = client.post(f'/api/videos/{key}/tags', json={'labels': ['yellow cross']}).json()
    assert alone['tags'][0]['probability'] == pytest.approx(found['tags'][0]['probability'], 1e-4)
    assert len(client.post(f'/api/videos/{key}/tags', json={'bank': 'shapes'}).json()['tags']) == 20


def test_forgotten_video(client, clips, upload):
    key = upload(clips['short']).json()['id']
    assert client.delete(f'/api/videos/{key}').status_code == 204
    answer = client.post(f'/api/videos/{key}/tags', json={'labels': LABELS})
    assert answer.status_code == 404 and error_of(answer) == 'unknown_video'


def test_file_is_gone_after_it_was_looked_at(server, clips, upload, damaged):
    assert upload(clips['short']).status_code == 201
    assert upload(damaged).status_code == 422
    assert not server.left_over()


def test_videos_have_unguessable_names(clips, upload):
    keys = {upload(clips['short']).json()['id'] for _ in range(2)}
    assert len(keys) == 2 and all(len(key) >= 20 for key in keys)


@pytest.mark.parametrize(
    ('content', 'status', 'code', 'words'),
    [
        (b'', 400, 'empty_upload', 'empty'),
        (b'hello, I am a text\n' * 50, 415, 'unsupported_format', 'not a video'),
        (b'#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', 415, 'unsupported_format', 'not a video'),
        (b'ffconcat version 1.0\nfile /etc/passwd\n', 415, 'unsupported_format', 'not a video'),
        (b'\0\0\0\x18ftypmp42' + bytes(2000), 422, 'unreadable_video', 'cannot be read'),
    ],
    ids=['empty', 'text', 'playlist', 'concat', 'header-only'],
)
def test_no_video(client, content, status, code, words):
    answer = client.post('/api/videos?name=a.mp4', content=content)
    assert answer.status_code == status and error_of(answer) == code
    assert words in answer.json()['error']['message']
    assert 'a.mp4' in answer.json()['error']['message']


def test_damaged_video(upload, damaged, server):
    answer = upload(damaged)
    assert answer.status_code == 422 and error_of(answer) == 'unreadable_video'
    message = answer.json()['error']['message']
    assert message.startswith('holiday.mp4 cannot be read as a video: ')
    assert str(server.folder) not in message


@pytest.mark.parametrize('stated', [True, False], ids=['stated', 'chunked'])
def test_oversized_upload(client, server, stated):
    """Refused by its stated length, or while it arrives; nothing of it stays on the disk."""
    content = b'\0\0\0\x18ftypmp42' + bytes(3_000_000)

    def parts():
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    answer = client.post('/api/videos?name=big.mp4', content=content if stated else parts())
    assert answer.status_code == 413 and error_of(answer) == 'file_too_large'
    assert answer.json()['error']['message'] == 'big.mp4 is larger than the 0.29 MB allowed.'
    assert not server.left_over()


@pytest.mark.parametrize('seed', range(20))
def test_noise_behind_a_good_start(client, seed):
    rng = np.random.default_rng(seed)
    starts = (b'\0\0\0\x18ftypmp42', b'\x1a\x45\xdf\xa3', b'RIFF\x40\0\0\0AVI ', b'GIF89a', b'OggS')
    content = starts[seed % 5] + rng.bytes(int(rng.integers(0, 5000)))
    answer = client.post('/api/videos', content=content)
    assert error_of(answer) in ('unreadable_video', 'frame_too_large', 'video_too_long')


@pytest.mark.parametrize('seed', range(16))
def test_damage_anywhere(client, clips, seed):
    """A damaged video is refused, or what is left of it is looked at; never a fault."""
    rng = np.random.default_rng(seed)
    content = bytearray(clips['short'].read_bytes())
    for at in rng.integers(8, len(content), 30):
        content[at] = rng.integers(256)
    end = len(content) if seed % 2 else rng.integers(100, len(content))
    answer = client.post('/api/videos', content=bytes(content[:end]))
    if answer.status_code != 201:
        assert error_of(answer) in ('unreadable_video', 'unsupported_format', 'video_too_long')


def test_long_video(upload, write_video):
    answer = upload(write_video(num_frames=200, fps=8))
    assert answer.status_code == 422 and error_of(answer) == 'video_too_long'
    assert 'the server takes 20 seconds' in answer.json()['error']['message']


ATTACKS = [
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/page.css/../../app.py',
    '/static/../app.py',
    '/app.py',
    '/static/page.js%00.html',
    '/api/videos/../../../../etc/passwd',
    '/api/videos/..%2f..%2fetc%2fpasswd',
    '/api/videos/%2fetc%2fpasswd/frames/0.jpg',
    '/api/videos/x/frames/..%2f..%2f..%2fetc%2fpasswd.jpg',
    'file:///etc/passwd',
    '/C:\\Windows\\win.ini',
]


@pytest.mark.parametrize('target', ATTACKS)
def test_path_traversal(server, target):
    """Sent as it is: clients tidy such paths up."""
    host, port = server.url.removeprefix('http://').split(':')
    with socket.create_connection((host, int(port)), timeout=20) as link:
        link.sendall(f'GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'.encode())
        answer = b''.join(iter(lambda: link.recv(65536), b''))
    head, _, body = answer.partition(b'\r\n\r\n')
    assert head.split()[1] in (b'404', b'400')
    assert b'root:' not in answer and b'FastAPI' not in answer
    if b'json' in head:
        assert json.loads(body)['error']['code'] in ('not_found', 'unknown_video')


def test_name_of_a_file_is_no_path(client, clips):
    content = clips['short'].read_bytes()
    for name in ('../../etc/passwd', '/etc/passwd', 'C:\\a\\b\x00\n.mp4', '<b>x</b>.mp4', ''):
        answer = client.post('/api/videos', params={'name': name}, content=content)
        assert answer.status_code == 201
        shown = answer.json()['name']
        assert shown and not {'/', '\\', '\0', '\n'} & set(shown)


def test_other_sites_are_refused(client, server):
    """Neither a name that was made to mean this computer, nor forms of other pages."""
    answer = client.get('/api/status', headers={'Host': 'evil.example'})
    assert answer.status_code == 421 and error_of(answer) == 'wrong_host'
    for headers in (
        {'Origin': 'https://evil.example'},
        {'Origin': 'null'},
        {'Sec-Fetch-Site': 'cross-site', 'Origin': server.url},
    ):
        answer = client.post('/api/videos', content=b'x', headers=headers)
        assert answer.status_code == 403 and error_of(answer) == 'cross_site'
    own = {'Origin': server.url, 'Sec-Fetch-Site': 'same-origin'}
    assert error_of(client.post('/api/videos', content=b'x', headers=own)) == 'unsupported_format'


def test_pages_need_nothing_else(client):
    """No address of another server, and headers that keep it so."""
    for path in ('/', '/page.css', '/find.css', *SCRIPTS, '/docs', '/icon.svg'):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.text.replace('http://www.w3.org/2000/svg', '').count('://') == 0
        policy = answer.headers['content-security-policy']
        assert "default-src 'none'" in policy and 'unsafe' not in policy
        assert answer.headers['x-content-type-options'] == 'nosniff'
        assert answer.headers['x-frame-options'] == 'DENY'


def test_api_page_lists_what_the_schema_has(client):
    schema, page = client.get('/api/openapi.json').json(), client.get('/docs').text
    assert schema['info']['title'] == 'ovmlv'
    operations = [(m.upper(), p) for p, methods in schema['paths'].items() for m in methods]
    assert ('POST', '/api/videos') in operations and len(operations) == 12
    for method, path in operations:
        assert f'<b>{method}</b> {path}' in page
    for code in ('busy', 'file_too_large', 'unreadable_video'):
        assert f'<td>{code}</td>' in page


def test_curl_of_the_docs(server, clips, repository):
    """The body may come without a length, as ``curl -T -`` sends it."""
    content = clips['short'].read_bytes()
    answer = httpx.post(f'{server.url}/api/videos', content=iter([content]), timeout=60)
    assert answer.status_code == 201 and answer.json()['name'] == 'The video'


def test_client_that_goes_away(client, server):
    """Its place in the queue and its file are free again."""
    host, port = server.url.removeprefix('http://').split(':')
    head = f'POST /api/videos HTTP/1.1\r\nHost: {host}\r\nContent-Length: 200000\r\n\r\n'
    link = socket.create_connection((host, int(port)), timeout=20)
    link.sendall(head.encode() + b'\0\0\0\x18ftypmp42' + bytes(50_000))

    def waiting():
        return client.get('/api/status').json()['queue']['videos']

    def until(wanted):
        end = time.monotonic() + 20
        while waiting() != wanted:
            assert time.monotonic() < end
            time.sleep(0.02)

    until(1)
    assert server.left_over()
    link.close()
    until(0)
    assert not server.left_over()
