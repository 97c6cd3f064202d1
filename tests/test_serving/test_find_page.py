"""The tab that finds in videos of an index, in a real browser."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from .conftest import index_missing, write_scenes
from .test_page import (  # noqa: F401, browser is a fixture
    LOW_CONTRAST,
    PHONE,
    browser,
    opened_pages,
    overflow,
    picture,
    until,
)

pytestmark = pytest.mark.skipif(bool(index_missing()), reason=index_missing())

DESKTOP = dict(width=1280, height=900)


@pytest.fixture
def open_page(browser, server):  # noqa: F811
    with opened_pages(browser, server) as start:
        yield start


@pytest.fixture
def page(open_page):
    return open_page('/#find', viewport=DESKTOP)


def find(page, query, **filters):
    """Ask, and wait for all that it shows."""
    page.fill('#query', query)
    if filters and not page.is_visible('#after'):
        page.click('#narrow summary')
    for name, value in filters.items():
        (page.select_option if name == 'per' else page.fill)(f'#{name}', value)
    page.click('#look')
    settled(page)


def settled(page):
    until(page, "document.querySelector('#hits').getAttribute('aria-busy') === 'false'")
    # Those out of sight come when they are looked at.
    until(
        page,
        """[...document.querySelectorAll('#hit-list img')].every(
          (i) => i.complete || i.getBoundingClientRect().top > window.innerHeight)""",
    )


def names(page):
    return page.locator('#hit-list li:visible .name').all_inner_texts()


def sent(page):
    """Requests from now on."""
    found = []
    page.on('request', lambda request: found.append((request.method, request.url)))
    return found


def test_words_hits_and_the_second_in_the_player(page):
    until(page, "document.querySelector('#index-info').innerText.includes('6 videos')")
    assert page.inner_text('#find-empty-title') == 'Find in 6 videos'
    assert '1 file that could not be read' in page.inner_text('#index-info')
    picture(page, 'find_start')
    find(page, 'blue star')
    assert set(names(page)[:2]) == {'both.mp4', 'blue star.mp4'}
    numbers = page.locator('#hit-list .number').all_inner_texts()
    shares = [float(re.sub(r'[^\d.]', '', number)) for number in numbers]
    assert shares == sorted(shares, reverse=True) and len(shares) == 6
    assert all(page.eval_on_selector_all('#hit-list img', 'all => all.map((i) => i.naturalWidth)'))
    # The star comes after three seconds.
    page.click('#hit-list li:has-text("both.mp4") .hit')
    until(page, "document.querySelector('#watch-player').readyState >= 2")
    time = page.evaluate("document.querySelector('#watch-player').currentTime")
    assert 2.9 < time < 6
    assert page.inner_text('#watched') == 'both.mp4'
    assert page.inner_text('#watched-at').endswith('%')
    assert page.locator('.hit[aria-pressed=true] .name').inner_text() == 'both.mp4'
    page.evaluate("document.querySelector('#watch-player').pause()")
    picture(page, 'find_playing')


@pytest.mark.slow
def test_logic_and_filters(page):
    find(page, 'red circle AND NOT blue star')
    assert names(page)[0] in ('red circle.mp4', 'short.mp4', 'both.mp4')
    assert page.inner_text('#found-title') == 'red circle AND NOT blue star'
    each = page.locator('#hit-list li >> nth=0').locator('.each span').all_inner_texts()
    assert [' '.join(text.split()[:2]) for text in each] == ['red circle', 'blue star']
    find(page, 'blue star', per='window', after='3')
    assert set(names(page)) == {'both.mp4'} and len(names(page)) == 3
    find(page, 'blue star', per='video', after='', before='1', within='*square*')
    assert names(page) == ['green square.mp4']
    assert page.is_hidden('#comma')
    find(page, 'red circle, blue star', within='')
    assert 'write OR' in page.inner_text('#comma')
    find(page, 'blue star', within='/nowhere')
    assert page.inner_text('#find-empty-title') == 'Nothing found'
    assert page.is_hidden('#found')
    picture(page, 'find_nothing')


def test_threshold_asks_nothing(page):
    find(page, 'red circle')
    requests = sent(page)
    everything = names(page)
    page.focus('#least')
    for _ in range(50):
        page.keyboard.press('ArrowRight')
    some = names(page)
    assert 0 < len(some) < len(everything) and some == everything[: len(some)]
    assert page.inner_text('#found-count') == f'{len(some)} of {len(everything)} videos'
    page.keyboard.press('End')
    assert names(page) == [] and 'None reaches 100 %' in page.inner_text('#none-left')
    assert page.is_disabled('#hits-csv')
    picture(page, 'find_threshold')
    page.keyboard.press('Home')
    assert names(page) == everything and not requests


@pytest.mark.slow
def test_selection_and_export(page, indexed, plain_inferencer):
    """What is saved is what the command writes."""
    from ovmlv.index import VideoIndex

    expected = VideoIndex.open(indexed.index, plain_inferencer).find('red circle', 60)

    def export(kind):
        with page.expect_download() as download:
            page.click(f'#hits-{kind}')
        name = download.value.suggested_filename
        return name, Path(download.value.path()).read_bytes().decode()

    find(page, 'red circle')
    assert page.inner_text('#picked-count') == 'all 6 shown'
    assert export('csv') == ('red-circle.csv', expected.to_csv())
    assert export('json') == ('red-circle.jsonl', expected.to_json())
    for number in (0, 2):
        page.locator('#hit-list .pick input').nth(number).check()
    assert page.inner_text('#picked-count') == '2 selected'
    rows = list(csv.DictReader(io.StringIO(export('csv')[1])))
    assert [row['video'] for row in rows] == [expected[0].video, expected[2].video]
    lines = [json.loads(line) for line in export('json')[1].splitlines()]
    assert [line['video'] for line in lines] == [expected[0].video, expected[2].video]
    picture(page, 'find_selected')
    page.click('#pick-all')  # from some to all
    assert page.inner_text('#picked-count') == '6 selected'
    page.click('#pick-all')
    assert page.inner_text('#picked-count') == 'all 6 shown'
    # What the threshold hides is not taken.
    page.locator('#hit-list .pick input').nth(5).check()
    page.locator('#hit-list .pick input').nth(0).check()
    page.evaluate("document.querySelector('#least').value = 50")
    page.dispatch_event('#least', 'input')
    assert page.inner_text('#picked-count') == '1 selected'


@pytest.mark.slow
def test_errors_are_one_line(open_page, indexed, tmp_path):
    page = open_page('/#find', allowed=('422', '404'))
    page.click('#look')
    assert page.inner_text('#find-error') == 'Write what to look for.'
    find(page, 'red circle AND')
    assert 'a label is missing after AND' in page.inner_text('#find-error')
    picture(page, 'find_error')
    find(page, 'yellow cross')
    assert page.is_hidden('#find-error')
    path = indexed.folder / 'yellow cross.mp4'
    shutil.move(path, tmp_path)
    try:
        page.click('#hit-list .hit >> nth=0')
        until(page, "!document.querySelector('#watch-error').hidden")
        gone = 'yellow cross.mp4 is no longer on the disk of the server.'
        assert page.inner_text('#watch-error') == gone
        picture(page, 'find_gone')
    finally:
        shutil.move(tmp_path / path.name, path)
    page.click('#hit-list .hit >> nth=1')
    until(page, "document.querySelector('#watch-player').readyState >= 2")
    assert page.is_hidden('#watch-error')
    page.click('#hit-list .hit >> nth=0')
    until(page, "document.querySelector('#watch-player').readyState >= 2")


@pytest.mark.slow
def test_by_keyboard_alone(open_page):
    page = open_page('/')
    page.focus('#tab-tag')
    page.keyboard.press('ArrowRight')
    assert page.is_visible('#find') and page.is_hidden('#ask')
    assert page.evaluate('document.activeElement.id') == 'tab-find'
    page.keyboard.press('Tab')
    page.keyboard.press('Tab') if page.evaluate('document.activeElement.id') != 'query' else None
    assert page.evaluate('document.activeElement.id') == 'query'
    page.keyboard.type('red circle')
    page.keyboard.press('Enter')
    until(page, "document.querySelectorAll('#hit-list li').length === 6")
    page.locator('.hit').first.focus()
    page.keyboard.press('ArrowRight')
    page.keyboard.press('ArrowRight')
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('Enter')
    name = page.locator('.hit .name').nth(1).inner_text()
    assert page.inner_text('#watched') == name
    outline = page.locator('.hit').nth(1).evaluate('n => getComputedStyle(n).outlineStyle')
    assert outline == 'solid'
    page.keyboard.press('Tab')
    page.keyboard.press('Space')
    assert page.inner_text('#picked-count') == '1 selected'
    page.keyboard.press('Escape')
    assert page.is_hidden('#watch') and page.locator('.hit[aria-pressed=true]').count() == 0


@pytest.mark.parametrize('scheme', ['light', pytest.param('dark', marks=pytest.mark.slow)])
def test_phone(open_page, scheme):
    """Fingers find what they look for, and nothing is wider than the window."""
    page = open_page(
        '/#find', viewport=PHONE, color_scheme=scheme, device_scale_factor=2, has_touch=True
    )
    assert overflow(page) <= 0
    find(page, 'red circle OR ' + 'unbreakable' * 9)
    assert overflow(page) <= 0
    find(page, 'red circle AND NOT blue star', per='window')
    for selector in ('#look', '.hit', '.pick', '#hits-csv', '#tab-tag', '#narrow summary'):
        box = page.locator(selector).first.bounding_box()
        assert box['height'] >= 40 and box['width'] >= 40, selector
    page.locator('.pick').nth(1).tap()
    assert page.inner_text('#picked-count') == '1 selected'
    page.locator('.hit').nth(2).tap()
    until(page, "document.querySelector('#watch-player').readyState >= 2")
    # The player stays in sight while one goes through the hits.
    page.locator('#hit-list li').last.scroll_into_view_if_needed()
    box = page.locator('#watch-player').bounding_box()
    assert 0 <= box['y'] < 60 and overflow(page) <= 0
    page.evaluate("document.querySelector('#watch-player').pause()")
    page.screenshot(path=picture(page, f'find_phone_{scheme}').with_suffix('.view.png'))


@pytest.mark.slow
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_contrast(open_page, scheme):
    page = open_page('/#find', viewport=DESKTOP, color_scheme=scheme)
    find(page, 'red circle AND NOT blue star')
    page.click('.hit >> nth=0')
    assert page.evaluate(LOW_CONTRAST) == []
    picture(page, f'find_{scheme}')


@pytest.mark.slow
def test_names_are_text(open_page, indexed, plain_inferencer):
    """Names of files and labels are strangers' text."""
    from ovmlv.index import VideoIndex

    index = VideoIndex.open(indexed.index, plain_inferencer)
    bad = indexed.folder / '<img src=x onerror=alert(1)>&quot;,=1+1.mp4'
    write_scenes(bad, ('plain', 'red', 'circle'))
    page = open_page('/#find')
    try:
        index.add(bad)  # while the page is open
        find(page, '"<b>red</b> (circle)"', within='*onerror*')
        assert names(page) == [bad.name] and page.locator('img[src=x]').count() == 0
        assert page.inner_text('#found-title') == '"<b>red</b> (circle)"'
        page.click('.hit')
        until(page, "document.querySelector('#watch-player').readyState >= 2")
        with page.expect_download() as download:
            page.click('#hits-csv')
        text = Path(download.value.path()).read_text(encoding='utf-8')
        (row,) = csv.DictReader(io.StringIO(text))
        assert row['video'] == str(bad)
    finally:
        index.remove(bad)
        bad.unlink()
    find(page, 'red circle', within='')
    assert len(names(page)) == 6


@pytest.mark.slow
def test_more_than_the_first_answer(page):
    """As with an index of many videos, the hits of which are here one video's again and again."""
    tops = []

    def many(route):
        answer = route.fetch()
        tops.append(route.request.post_data_json['top'])
        content = answer.json()
        (hit,) = content['hits'][:1]
        content['hits'] = [{**hit, 'number': number} for number in range(tops[-1])]
        route.fulfill(response=answer, json=content)

    page.route('**/api/index/find', many)
    find(page, 'red circle')
    assert page.inner_text('#found-count') == 'best 60 videos'
    page.locator('.pick input').nth(3).check()
    page.click('#hit-more')
    until(page, "document.querySelectorAll('#hit-list li').length === 180")
    assert page.locator('.pick input:checked').count() == 1
    page.click('#hit-more')
    until(page, "document.querySelectorAll('#hit-list li').length === 540")
    page.click('#hit-more')
    until(page, "document.querySelectorAll('#hit-list li').length === 1000")
    assert page.is_hidden('#hit-more') and tops == [60, 180, 540, 1000]


@pytest.mark.slow
def test_links_lead_to_words(open_page):
    page = open_page('/#find=blue%20star')
    settled(page)
    until(page, "document.querySelectorAll('#hit-list li').length === 6")
    assert page.input_value('#query') == 'blue star'
    find(page, 'red circle')
    assert page.url.endswith('#find=red%20circle')
    page.click('#tab-tag')
    assert page.is_visible('#ask') and '#' not in page.url


@pytest.mark.slow
def test_no_index_and_an_empty_one(open_page):
    """What the page says to such answers; that they are given is tested with the API."""

    def without(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), 'index': False})

    page = open_page('/')
    page.route('**/api/status', without)
    page.reload()
    page.click('#tab-find')
    until(page, "document.querySelector('#find-empty-title').innerText !== ''")
    assert page.inner_text('#find-empty-title') == 'This server has no index'
    assert 'ovmlv serve --index' in page.inner_text('#find-empty-command')
    assert page.is_hidden('#find')
    picture(page, 'find_no_index')

    def empty(route):
        nothing = dict(videos=0, windows=0, seconds=0, unread=0, window=1, calibrated=False)
        route.fulfill(json=nothing)

    page = open_page('/')
    page.route('**/api/index', empty)
    page.click('#tab-find')
    until(page, "document.querySelector('#find-empty-title').innerText !== ''")
    assert page.inner_text('#find-empty-title') == 'The index is empty'
    assert 'ovmlv index add' in page.inner_text('#find-empty-command')
    picture(page, 'find_empty')
