"""The page in a real browser. Screenshots are kept in ``test_artifacts``."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import time
from pathlib import Path

import pytest

playwright = pytest.importorskip('playwright.sync_api')

ARTIFACTS = Path(__file__).resolve().parents[2] / 'test_artifacts'
NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
ARGUMENTS = (
    '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking '
    '--disable-component-update --disable-sync'
).split()
PHONE = dict(width=390, height=844)
#: Texts with less than the 4.5 : 1 of WCAG AA against what is behind them.
LOW_CONTRAST = """() => {
        const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (c) => c.slice(0, 3).map((v) => v / 255)
          .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (node) => {
          for (let n = node; n; n = n.parentElement) {
            const c = rgb(getComputedStyle(n).backgroundColor);
            if (c.length === 3 || c[3] > 0) return c;
          }
        };
        const found = [];
        for (const node of document.querySelectorAll('main *, header *')) {
          const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
          if (!own || !node.offsetParent) continue;
          const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
          const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (ratio < 4.5) found.push(`${node.className} ${node.textContent}: ${ratio}`);
        }
        return found;
      }"""
LABELS = 'red circle\nblue star, green square\n\n  a boat  ,'


@pytest.fixture(scope='module')
def browser():
    path = os.environ.get('OVMLV_CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip('no Chromium found; install one, or set OVMLV_CHROMIUM to its program')
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    with opened_pages(browser, server) as start:
        yield start


@contextlib.contextmanager
def opened_pages(browser, server):
    """A function that opens the page; afterwards: no error and no request to elsewhere."""
    contexts, problems = [], []

    def note(request):
        if not request.url.startswith((server.url, 'blob:')):
            problems.append(f'request to {request.url}')

    def start(path='/', allowed=(), **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on('request', note)
        page.on('pageerror', lambda error: problems.append(str(error)))
        page.on(
            'console',
            lambda message: (
                problems.append(message.text)
                if message.type == 'error' and not any(word in message.text for word in allowed)
                else None
            ),
        )
        page.goto(server.url + path)
        if path == '/':
            page.wait_for_selector('#bank')  # the last that the page learns from the server
        return page

    yield start
    for context in contexts:
        context.close()
    assert not problems


def picture(page, name):
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f'{name}.png'
    page.screenshot(path=path, full_page=True, animations='disabled')
    return path


def tag(page, video, labels=LABELS):
    """Choose a file, write labels, and wait for all of the result."""
    page.set_input_files('#file', str(video))
    page.fill('#labels', labels)
    page.click('#go')
    wait(page)


def until(page, condition, arg=None):
    """Wait for an expression, or a function of ``arg``, to be true.

    Playwright's own ``wait_for_function`` evaluates text inside the page, which its policy forbids.
    """
    end = time.monotonic() + 60
    while not page.evaluate(condition, arg):
        assert time.monotonic() < end, f'{condition} did not come true: {page.inner_text("#error")}'
        page.wait_for_timeout(50)


def wait(page):
    until(
        page,
        "document.querySelector('#results').getAttribute('aria-busy') === 'false' "
        "&& (!document.querySelector('#why').hidden || !document.querySelector('#error').hidden)",
    )
    until(page, '[...document.images].every((image) => image.complete)')


def ranking(page):
    return page.locator('#list .name').all_inner_texts()


def decoded(page):
    return page.evaluate("fetch('api/status').then((a) => a.json())")['videos_decoded']


def overflow(page):
    return page.evaluate('document.documentElement.scrollWidth - window.innerWidth')


def test_upload_labels_result(open_page, clips):
    page = open_page(viewport=dict(width=1280, height=900))
    picture(page, 'start')
    assert 'up to 0.29 MB and 20 seconds' in page.inner_text('#drop')
    tag(page, clips['both'])
    assert set(ranking(page)) == {'red circle', 'blue star', 'green square', 'a boat'}
    assert set(ranking(page)[:2]) == {'red circle', 'blue star'}
    assert page.inner_text('#list .number >> nth=0').endswith('%')
    first, last = (page.locator('#list .track i').nth(i).bounding_box() for i in (0, -1))
    assert first['width'] > 5 * last['width']
    assert page.locator('.heat tbody tr').count() == 4
    # Red circle in the first half of the timeline, blue star in the other.
    for label, late in (('red circle', False), ('blue star', True)):
        cells = page.locator(f'.heat tr:has(th[title="{label}"]) td')
        shares = cells.evaluate_all('cells => cells.map(c => parseFloat(c.style.cssText.slice(4)))')
        assert (max(shares[: len(shares) // 3]) > 50) != late
        assert (max(shares[-len(shares) // 3 :]) > max(shares[: len(shares) // 3])) == late
    picture(page, 'result')


def test_clicked_label_shows_its_frames(open_page, clips):
    page = open_page()
    tag(page, clips['both'])
    for label, late in (('blue star', True), ('red circle', False)):
        page.click(f'#list button:has-text("{label}")')
        until(
            page, 'label => document.querySelector("#why-title").innerText.includes(label)', label
        )
        assert page.locator('#list button[aria-pressed=true] .name').inner_text() == label
        times = page.locator('#frames time').all_inner_texts()
        assert len(times) == 6
        assert all((float(time.split()[0]) > 3) == late for time in times)
        # Pictures arrive after the list that names them.
        until(
            page, "[...document.querySelectorAll('#frames img')].every((i) => i.naturalWidth > 0)"
        )


def test_changed_labels_decode_nothing(open_page, clips):
    page = open_page()
    tag(page, clips['red circle'])
    before = decoded(page)
    sent = []
    page.on('request', lambda request: sent.append((request.method, request.url)))
    page.fill('#labels', 'yellow cross\nred circle\na star')
    page.click('#go')
    until(page, "document.querySelectorAll('#list li').length === 3")
    assert ranking(page)[0] == 'red circle'
    page.fill('#labels', 'white heart')
    page.press('#labels', 'Control+Enter')
    until(page, "document.querySelectorAll('#list li').length === 1")
    assert decoded(page) == before
    assert not [url for method, url in sent if method == 'POST' and not url.endswith('/tags')]


def test_bank(open_page, clips):
    page = open_page()
    page.set_input_files('#file', str(clips['yellow cross']))
    page.select_option('#bank', 'shapes')
    assert page.is_hidden('#labels')
    page.click('#go')
    wait(page)
    assert ranking(page)[0] == 'yellow cross' and len(ranking(page)) == 25
    page.click('#more')
    assert len(ranking(page)) == 48
    page.select_option('#bank', '')
    assert page.is_visible('#labels')


@pytest.mark.slow
def test_threshold(open_page, clips):
    page = open_page()
    tag(page, clips['red circle'])
    assert page.inner_text('#count') == '1 of 4 present'
    page.focus('#threshold')
    page.keyboard.press('Home')
    assert page.inner_text('#count') == '4 of 4 present' and page.inner_text('#shown') == '0 %'
    page.keyboard.press('End')
    page.keyboard.press('ArrowLeft')
    assert page.inner_text('#shown') == '99 %'
    # As with a calibration: each label has a threshold of its own, unless one says otherwise.
    page.evaluate(
        'const tags = state.result.tags.map((tag) => ({ ...tag, threshold: 1e-12 }));'
        'show({ ...state.result, tags });'
    )
    assert page.inner_text('#count') == '4 of 4 present' and page.is_disabled('#threshold')
    page.uncheck('#own')
    assert page.inner_text('#count') == '1 of 4 present' and page.is_enabled('#threshold')


def test_broken_file_then_a_good_one(open_page, clips, damaged):
    page = open_page(allowed=('422', '415'))
    tag(page, damaged)
    assert page.inner_text('#error').startswith('holiday.mp4 cannot be read as a video: ')
    assert page.is_visible('#drop') and page.is_hidden('#ranking')
    picture(page, 'broken_file')
    text = damaged.with_name('notes.mp4')
    text.write_text('these are notes\n')
    tag(page, text)
    assert page.inner_text('#error').startswith('notes.mp4 is not a video')
    tag(page, clips['red circle'])
    assert page.is_hidden('#error') and ranking(page)[0] == 'red circle'


def test_file_over_the_limit(open_page, tmp_path):
    """The page knows the limit and sends nothing; where it does not, the server's answer shows."""
    page = open_page(allowed=('413', '408'))
    big = tmp_path / 'big.mp4'
    big.write_bytes(b'\0\0\0\x18ftypmp42' + bytes(1_000_000))
    sent = []
    page.on('request', lambda request: sent.append(request.url) if request.post_data else None)
    page.set_input_files('#file', str(big))
    expected = 'big.mp4 has 0.95 MB; this server takes at most 0.29 MB.'
    assert page.inner_text('#error') == expected
    assert page.is_visible('#drop') and not sent
    picture(page, 'file_over_the_limit')
    page.evaluate('state.limits = null')
    tag(page, big)
    assert page.inner_text('#error') == 'big.mp4 is larger than the 0.29 MB allowed.'


def test_messages_before_anything_is_sent(open_page, clips):
    page = open_page(allowed=('422',))
    page.click('#go')
    assert page.inner_text('#error') == 'Choose a video first.'
    page.set_input_files('#file', str(clips['red circle']))
    page.fill('#labels', ' , \n')
    page.click('#go')
    assert page.inner_text('#error') == 'Write at least one label.'
    page.fill('#labels', 'x' * 101)
    page.click('#go')
    until(page, "document.querySelector('#error').innerText.includes('Label 1')")


@pytest.mark.parametrize('scheme', ['light', pytest.param('dark', marks=pytest.mark.slow)])
def test_phone(open_page, clips, scheme):
    """Nothing is wider than the window, however long a label is."""
    page = open_page(viewport=PHONE, color_scheme=scheme, device_scale_factor=2, has_touch=True)
    assert overflow(page) <= 0
    tag(page, clips['both'], LABELS + '\n' + 'unbreakable' * 9 + '\na b c d e f g ' + 'long ' * 15)
    assert overflow(page) <= 0
    picture(page, f'phone_{scheme}')
    page.fill('#labels', LABELS)
    page.click('#go')
    until(page, "document.querySelectorAll('#list li').length === 4")
    for selector in ('#go', '#list button', '#copy'):
        assert page.locator(selector).first.bounding_box()['height'] >= 30
    picture(page, f'phone_{scheme}')


@pytest.mark.slow
def test_dark(open_page, clips):
    page = open_page(viewport=dict(width=1280, height=900), color_scheme='dark')
    tag(page, clips['both'])
    colour = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert max(map(int, colour.removeprefix('rgb(').removesuffix(')').split(','))) < 60
    picture(page, 'result_dark')


@pytest.mark.slow
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_contrast(open_page, clips, scheme):
    """Texts have the 4.5 : 1 of WCAG AA against what is behind them."""
    page = open_page(color_scheme=scheme)
    tag(page, clips['both'])
    assert page.evaluate(LOW_CONTRAST) == []


def test_by_keyboard_alone(open_page, clips):
    page = open_page()
    page.keyboard.press('Tab')
    order = []
    for _ in range(12):
        order.append(page.evaluate('document.activeElement.id || document.activeElement.tagName'))
        page.keyboard.press('Tab')
    form = [name for name in dict.fromkeys(order) if name in ('file', 'bank', 'labels', 'go')]
    assert form == ['file', 'bank', 'labels', 'go']
    page.set_input_files('#file', str(clips['both']))
    page.focus('#labels')
    page.keyboard.type('red circle, blue star')
    page.keyboard.press('Control+Enter')
    wait(page)
    page.locator('#list button').nth(1).focus()
    label = page.locator('#list .name').nth(1).inner_text()
    page.keyboard.press('Enter')
    until(page, 'label => document.querySelector("#why-title").innerText.includes(label)', label)
    outline = page.locator('#list button').nth(1).evaluate('n => getComputedStyle(n).outlineStyle')
    assert outline == 'solid'


@pytest.mark.slow
def test_copy_and_downloads(open_page, clips, server):
    page = open_page(permissions=['clipboard-read', 'clipboard-write'])
    labels = ['red circle', '"quoted"', 'blue star']
    tag(page, clips['red circle'], '\n'.join(labels))
    page.click('#copy')
    until(page, "document.querySelector('#copied').innerText === 'Copied.'")
    copied = json.loads(page.evaluate('navigator.clipboard.readText()'))
    assert copied['video'] == 'red circle.mp4'
    assert copied['labels'][0]['label'] == 'red circle'
    assert {entry['label'] for entry in copied['labels']} == set(labels)
    saved = {}
    for kind in ('json', 'csv'):
        with page.expect_download() as download:
            page.click(f'#{kind}')
        assert download.value.suggested_filename == f'red circle-labels.{kind}'
        saved[kind] = Path(download.value.path()).read_text(encoding='utf-8')
    assert json.loads(saved['json']) == copied
    rows = list(csv.reader(io.StringIO(saved['csv'])))
    assert rows[0][:2] == ['label', 'probability']
    assert len(rows[0]) == 2 + len(copied['windows'])
    assert [row[0] for row in rows[1:]] == [entry['label'] for entry in copied['labels']]
    assert float(rows[1][1]) == copied['labels'][0]['probability']


@pytest.mark.slow
def test_dropped_file(open_page, clips):
    page = open_page()
    page.fill('#labels', 'blue star')
    page.evaluate(
        """(bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'dropped.mp4', { type: 'video/mp4' }));
        document.body.dispatchEvent(
          new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      }""",
        list(clips['blue star'].read_bytes()),
    )
    assert page.inner_text('#filename') == 'dropped.mp4'
    page.click('#go')
    wait(page)
    assert ranking(page) == ['blue star']


@pytest.mark.slow
def test_a_video_that_expired_is_sent_again(open_page, clips):
    page = open_page(allowed=('404',))
    tag(page, clips['red circle'])
    before = decoded(page)
    page.evaluate("fetch(`api/videos/${state.video.id}`, { method: 'DELETE' })")
    page.fill('#labels', 'red circle')
    page.click('#go')
    until(page, "document.querySelectorAll('#list li').length === 1")
    assert decoded(page) == before + 1


@pytest.mark.slow
def test_labels_are_text(open_page, clips):
    page = open_page()
    label = '<img src=x onerror=alert(1)>'
    tag(page, clips['red circle'], f'{label}\nred circle')
    page.click(f'#list button:has-text("{label}")')
    until(page, "document.querySelector('#why-title').innerText.includes('<img')")
    assert label in ranking(page)
    assert page.locator('img[src=x]').count() == 0


@pytest.mark.slow
def test_choosing_another_video_takes_the_old_result_away(open_page, clips):
    page = open_page()
    tag(page, clips['red circle'], 'red circle\nblue star')
    page.set_input_files('#file', str(clips['blue star']))
    assert page.is_hidden('#ranking') and page.is_hidden('#why') and page.is_visible('#empty')
    page.click('#go')
    wait(page)
    assert ranking(page)[0] == 'blue star'


@pytest.mark.slow
def test_unreachable_server_is_said(open_page, clips):
    page = open_page(allowed=('Failed to load',))
    page.context.set_offline(True)
    page.set_input_files('#file', str(clips['red circle']))
    page.fill('#labels', 'a')
    page.click('#go')
    until(page, "document.querySelector('#error').innerText.includes('be reached')")
    page.context.set_offline(False)


@pytest.mark.slow
def test_api_page(open_page):
    page = open_page('/docs', viewport=PHONE)
    assert page.locator('h2').count() >= 8
    assert overflow(page) <= 0
    picture(page, 'api')
