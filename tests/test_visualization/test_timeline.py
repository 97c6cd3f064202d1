import numpy as np
import pytest
from PIL import Image

from ovmlv.errors import ConfigError, DataError
from ovmlv.visualization import draw_timeline
from ovmlv.visualization.contact_sheet import INK
from ovmlv.visualization.timeline import _SCALE, _colors, clock, timeline
from tests.test_visualization.results import broken, whole, windowed


def test_colours_are_those_of_the_scale_and_grow_darker():
    at = np.linspace(0, 1, len(_SCALE))
    assert _colors(at).astype(int).tolist() == [list(color) for color in _SCALE]
    brightness = _colors(np.linspace(0, 1, 101)).sum(1)
    assert (np.diff(brightness) < 0).all()


def first_row(picture):
    """Pixels of the first row of cells, above their numbers."""
    return picture[16 + 26 + 3]


def test_cells_are_where_their_windows_are():
    spans = [(0, 10), (10, 30), (50, 100)]
    result = windowed('no file', ['dog'], [[0.0], [1.0], [0.25]], spans)
    picture = timeline(result, width=500, scale=1)
    line = first_row(picture)
    left = int(np.where((line == _SCALE[0]).all(-1))[0][0])
    for second, color in [
        (5, _SCALE[0]), (12, _SCALE[-1]), (28, _SCALE[-1]), (40, (255, 255, 255)),
        (52, _SCALE[1]), (98, _SCALE[1]),
    ]:  # fmt: skip
        assert line[left + 5 * second].tolist() == list(color), second
    # What is present is underlined.
    under = picture[16 + 26 + 22 - 1]
    inked = np.where((under == INK).all(-1))[0]
    assert (inked.min() - left) / 5 == pytest.approx(10, abs=0.3)
    assert (inked.max() + 1 - left) / 5 == pytest.approx(30, abs=0.3)


def test_thresholds_of_the_result_count():
    table, spans = [[0.3], [0.6]], [(0, 1), (1, 2)]
    marks = []
    for limits in ([0.2], [0.5], [0.9]):
        result = windowed('v', ['dog'], table, spans, thresholds=np.array(limits, np.float32))
        under = timeline(result, width=400, scale=1)[16 + 26 + 22 - 1]
        marks.append(int((under == INK).all(-1).sum()))
    assert marks == pytest.approx([400, 200, 0], abs=3)


def test_a_short_peak_among_thousands_of_windows_is_seen():
    table = np.zeros((20000, 1))
    table[12345] = 1.0
    spans = [(i / 10, i / 10 + 0.2) for i in range(20000)]
    picture = timeline(windowed('v', ['dog'], table, spans), width=400, scale=1)
    # The oversampled picture is averaged over 2 x 2 pixels.
    darkest = first_row(picture).astype(int).sum(-1)
    shades = np.where(darkest < (sum(_SCALE[0]) + sum(_SCALE[-1])) / 2 + 30)[0]
    assert 1 <= len(shades) <= 2


@pytest.mark.parametrize('count', [1, 40])
def test_size_follows_the_number_of_labels(write_video, tmp_path, count):
    labels = [f'label {i}' for i in range(count)]
    rng = np.random.default_rng(0)
    result = windowed(write_video(), labels, rng.uniform(size=(2, count)), [(0, 1), (1, 2)])
    out = draw_timeline(result, tmp_path / 'new' / 't.png', top_k=40)
    assert Image.open(out).size[1] == pytest.approx(2 * (16 + 26 + 64 + 25 * count + 56), abs=4)
    fewer = draw_timeline(result, tmp_path / 't.jpg', top_k=1)
    assert Image.open(fewer).size[1] <= Image.open(out).size[1]


def test_frames_of_the_video_stand_above():
    """Where it is no file, frames may be given; an unreadable video has none."""
    result = windowed('array', ['dog'], [[0.2]], [(0, 2)])
    bare = timeline(result)
    frames = np.full((20, 60, 80, 3), 77, np.uint8)
    shown = timeline(result, frames=frames)
    assert shown.shape[0] == bare.shape[0] + 2 * 64
    assert (shown == 77).all(-1).sum() > 0.8 * 2 * 640 * 2 * 56


@pytest.mark.parametrize(
    ('seconds', 'step', 'text'),
    [(0.5, 0.5, '0.5 s'), (7, 1, '7 s'), (65, 5, '1:05'), (3605, 60, '1:00:05'), (60, 10, '1:00')],
)
def test_clock(seconds, step, text):
    assert clock(seconds, step) == text


def test_mistakes_are_named(tmp_path):
    with pytest.raises(DataError, match='v.mp4 was tagged as a whole; tag it with window'):
        timeline(whole('v.mp4', dict(dog=0.5)))
    with pytest.raises(DataError, match='v.mp4 has no timeline: cut short'):
        timeline(broken('v.mp4', 'cut short'))
    result = windowed('v', ['dog'], [[0.2]], [(0, 2)])
    with pytest.raises(ConfigError, match='top_k=0'):
        timeline(result, 0)
    with pytest.raises(ConfigError, match='name a file ending in .png'):
        draw_timeline(result, tmp_path / 't.svg')
