from pathlib import Path

import matplotlib
import pytest

from ovmlv.visualization import fonts
from ovmlv.visualization.fonts import default_font, split_by_font

FOLDER = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
STIX = FOLDER / 'STIXGeneral.ttf'
ONLY_STIX = '\u2316'  # a sign that DejaVu Sans lacks


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No fonts of the system, nothing remembered."""
    monkeypatch.setattr('matplotlib.font_manager.findSystemFonts', list)
    monkeypatch.delenv(fonts.VARIABLE, raising=False)

    def forget():
        fonts.fallback_fonts.cache_clear()
        fonts._find.cache_clear()
        fonts._told.clear()

    forget()
    yield
    forget()


@pytest.mark.parametrize('text', ['a dog', 'собака бежит', 'κύκλος', 'כלב רץ', 'é\u0301 façade'])
@pytest.mark.parametrize('bold', [False, True])
def test_one_font_draws_what_it_has(text, bold):
    assert split_by_font(text, bold) == [(text, default_font(bold))]


def test_what_no_font_has_is_told_once(log):
    first = default_font()
    assert split_by_font('走る dog 犬') == [('走る', None), (' dog ', first), ('犬', None)]
    split_by_font('犬')
    told = [record.message for record in log.records if 'no installed font' in record.message]
    assert len(told) == 1
    assert 'U+308B U+72AC U+8D70:' in told[0] and fonts.VARIABLE in told[0]


@pytest.mark.parametrize('named', [STIX, FOLDER])
def test_other_fonts_step_in(monkeypatch, named):
    assert split_by_font(ONLY_STIX)[0][1] is None
    fonts.fallback_fonts.cache_clear()
    fonts._find.cache_clear()
    monkeypatch.setenv(fonts.VARIABLE, str(named))
    runs = split_by_font(f'a {ONLY_STIX}\u0301 b')
    assert [run for run, _ in runs] == ['a ', f'{ONLY_STIX}\u0301 ', 'b']
    assert runs[1][1].parent == FOLDER and runs[1][1] != runs[0][1] == runs[2][1]


def test_fonts_of_the_system_come_last(monkeypatch):
    monkeypatch.setattr('matplotlib.font_manager.findSystemFonts', lambda: [str(STIX)])
    assert split_by_font(ONLY_STIX) == [(ONLY_STIX, STIX)]


def test_useless_fonts_do_no_harm(monkeypatch, tmp_path, log):
    broken = tmp_path / 'a.ttf'
    broken.write_bytes(b'no font')
    monkeypatch.setenv(fonts.VARIABLE, f'{broken}:{tmp_path / "gone.ttf"}:{STIX}')
    assert split_by_font(ONLY_STIX) == [(ONLY_STIX, STIX)]
    assert 'gone.ttf, which does not exist' in log.text
