"""Fifty requests that are wrong, each with the error that says how."""

import pytest

TAGS = '/api/videos/{id}/tags'
FRAMES = '/api/videos/{id}/frames'
JSON = {'Content-Type': 'application/json'}


def body(text):
    return dict(content=text, headers=JSON)


#: Method, address, arguments of httpx, status and code of the answer.
REQUESTS = [
    # Bodies that are no JSON, or of another form.
    ('POST', TAGS, body(b''), 400, 'invalid_request'),
    ('POST', TAGS, body(b'{'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'{"labels": ["a"'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'\xff\xfe\x00'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'null'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'[]'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'["a", "b"]'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'"a"'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'7'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'NaN'), 400, 'invalid_request'),
    ('POST', TAGS, body(b'[' * 20000), 400, 'invalid_request'),
    ('POST', TAGS, dict(data={'labels': 'a'}), 400, 'invalid_request'),
    ('POST', TAGS, body(b'x' * 2**21), 413, 'request_too_large'),
    # Fields of other types, unknown ones, contradicting ones.
    ('POST', TAGS, dict(json={'labels': 'a dog'}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': {'a': 1}}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': [1]}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a', None]}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': [['a']]}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'label': ['a']}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'path': '/etc/passwd'}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'top_k': 0}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'top_k': -1}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'top_k': 1.5}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'top_k': '3'}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'labels': ['a'], 'bank': 'shapes'}), 400, 'invalid_request'),
    ('POST', TAGS, dict(json={'bank': 3}), 400, 'invalid_request'),
    # Banks and labels that cannot be.
    ('POST', TAGS, dict(json={'bank': 'nothing'}), 404, 'unknown_bank'),
    ('POST', TAGS, dict(json={'bank': '../../etc/passwd'}), 404, 'unknown_bank'),
    ('POST', TAGS, dict(json={}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': []}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['']}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['a', '   ']}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['a', 'b', 'a']}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['a', ' a ']}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['x' * 101]}), 422, 'invalid_labels'),
    ('POST', TAGS, dict(json={'labels': ['a\0b']}), 422, 'invalid_labels'),
    ('POST', TAGS, body(b'{"labels": ["\\ud800"]}'), 422, 'invalid_labels'),
    ('POST', TAGS, body(b'{"bank": "\\ud800"}'), 404, 'unknown_bank'),
    ('POST', TAGS, dict(json={'labels': [f'l{i}' for i in range(61)]}), 422, 'too_many_labels'),
    # Videos, frames and addresses that are not there.
    ('POST', '/api/videos/nothing/tags', dict(json={'labels': ['a']}), 404, 'unknown_video'),
    ('DELETE', '/api/videos/nothing', {}, 404, 'unknown_video'),
    ('GET', '/api/videos/' + 'x' * 65, {}, 400, 'invalid_request'),
    ('GET', FRAMES, {}, 400, 'invalid_request'),
    ('GET', FRAMES, dict(params={'label': ' '}), 422, 'invalid_labels'),
    ('GET', FRAMES, dict(params={'label': 'a', 'count': 'x'}), 400, 'invalid_request'),
    ('GET', FRAMES + '/999.jpg', {}, 404, 'not_found'),
    ('GET', FRAMES + '/-1.jpg', {}, 400, 'invalid_request'),
    ('GET', '/api/nothing', {}, 404, 'not_found'),
    ('PUT', TAGS, dict(json={'labels': ['a']}), 405, 'method_not_allowed'),
    ('GET', '/api/videos', {}, 405, 'method_not_allowed'),
    # Uploads with senseless arguments.
    ('POST', '/api/videos?window=0', 'video', 400, 'invalid_request'),
    ('POST', '/api/videos?window=nan', 'video', 400, 'invalid_request'),
    ('POST', '/api/videos?window=x', 'video', 400, 'invalid_request'),
    ('POST', '/api/videos?window=1&stride=2', 'video', 400, 'invalid_request'),
    ('POST', '/api/videos?stride=0.001', 'video', 422, 'too_many_windows'),
    ('POST', '/api/videos', dict(files={'file': b'x'}), 400, 'invalid_request'),
]


@pytest.fixture(scope='module')
def key(client, clips):
    return client.post('/api/videos', content=clips['red circle'].read_bytes()).json()['id']


@pytest.mark.parametrize(
    ('method', 'path', 'arguments', 'status', 'code'),
    REQUESTS,
    ids=[f'{i}-{row[-1]}' for i, row in enumerate(REQUESTS)],
)
def test_malformed(client, clips, key, method, path, arguments, status, code):
    if arguments == 'video':
        arguments = dict(content=clips['red circle'].read_bytes())
    answer = client.request(method, path.format(id=key), **arguments)
    assert (answer.status_code, answer.json()['error']['code']) == (status, code), answer.text
    message = answer.json()['error']['message']
    assert message.endswith('.') and len(message) < 300 and 'Traceback' not in message
    # And it serves on.
    good = client.post(f'/api/videos/{key}/tags', json={'labels': ['red circle']})
    assert good.status_code == 200


def test_fifty():
    assert len(REQUESTS) >= 50
