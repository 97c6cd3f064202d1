"""Sample videos: through the API, and clicked on in a real browser."""

import pytest

from ovmlv.errors import ConfigError
from ovmlv.serving.media_types import media_type
from ovmlv.serving.samples import Samples

from .conftest import index_missing
from .test_page import PHONE, browser, opened_pages, overflow, picture, until  # noqa: F401

# The server of these tests has samples where it has an index.
needs_server = pytest.mark.skipif(bool(index_missing()), reason=index_missing())
NAMES = ['red circle.mp4', 'both.mp4']


@needs_server
def test_the_api_gives_them(client, indexed):
    assert client.get('/api/status').json()['samples'] == NAMES
    for number, name in enumerate(NAMES):
        answer = client.get(f'/api/samples/{number}')
        assert answer.content == (indexed.folder / name).read_bytes()
        assert answer.headers['content-type'] == 'video/mp4'
    missing = client.get('/api/samples/2')
    assert missing.status_code == 404 and 'There are 2 sample videos' in missing.text
    assert client.get('/api/samples/..%2Fred%20circle.mp4').status_code in (404, 422)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('a.mp4', 'video/mp4'), ('A.MOV', 'video/quicktime'), ('a.html', 'application/octet-stream')],
)
def test_no_media_type_is_one_that_a_browser_runs(name, expected):
    assert media_type(name) == expected


@pytest.mark.parametrize(
    ('content', 'message'), [(None, 'is no file'), (b'', 'has 0 bytes'), (b'12345', 'has 5 bytes')]
)
def test_what_cannot_be_a_sample(tmp_path, content, message):
    path = tmp_path / 'a video.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        Samples([path], largest=4)
    with pytest.raises(ConfigError, match='at most 24'):
        Samples([path] * 25, largest=4)


@needs_server
@pytest.mark.parametrize('size', [dict(width=1280, height=900), PHONE], ids=['desktop', 'phone'])
def test_a_click_tags_one(browser, server, size):  # noqa: F811
    with opened_pages(browser, server) as start:
        page = start('/', viewport=size)
        until(page, "document.querySelectorAll('#samples button').length === 2")
        until(page, "[...document.querySelectorAll('#samples video')].every(v => v.readyState > 0)")
        assert not overflow(page)
        page.click('#samples button:first-child')
        until(page, "document.querySelector('#filename').textContent === 'red circle.mp4'")
        page.fill('#labels', 'red circle\nblue star')
        page.click('#go')
        until(page, "!document.querySelector('#ranking').hidden")
        first = page.text_content('#list li:first-child')
        assert 'red circle' in first
        picture(page, f'samples {size["width"]}')


@needs_server
def test_a_server_without_samples_shows_no_place_for_them(browser, server):  # noqa: F811
    with opened_pages(browser, server) as start:
        page = start('/')
        until(page, "document.querySelector('#allowed').textContent !== ''")
        page.evaluate('offer([])')
        assert not page.is_visible('#samples')
