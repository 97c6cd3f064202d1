import numpy as np
import pytest

from ovmlv.visualization.canvas import Canvas

INK = (0, 0, 0)


def ink(canvas):
    """Columns and rows that have ink, in units."""
    ys, xs = np.where(canvas.pixels().min(-1) < 200)
    return xs.min() / canvas.scale, (xs.max() + 1) / canvas.scale, ys.min(), ys.max()


@pytest.mark.parametrize('text', ['a dog runs', 'бежит', '\ue123字 dog'])
def test_text_is_as_wide_as_told(text):
    canvas = Canvas(300, 30, 2)
    told = canvas.text(10, 15, text, 12, INK)
    assert told == canvas.measure(text, 12)
    left, right, _, _ = ink(canvas)
    assert abs(left - 10) < 2 and abs(right - 10 - told) < 2


@pytest.mark.parametrize('anchor', ['lm', 'mm', 'rm'])
@pytest.mark.parametrize('text', ['a dog runs', '\ue123\ue124 dog'])
def test_anchors(anchor, text):
    canvas = Canvas(300, 30, 2)
    told = canvas.text(100, 15, text, 12, INK, anchor=anchor)
    start = {'l': 100, 'm': 100 - told / 2, 'r': 100 - told}[anchor[0]]
    assert abs(ink(canvas)[0] - start) < 2


def test_characters_without_a_font_differ():
    """Private ones, which no font has: labels stay apart, of one width, at the text's height."""

    def draw(text):
        canvas = Canvas(60, 30, 4)
        canvas.text(10, 15, text, 14, INK)
        return canvas

    one, other, letter = draw('\ue123'), draw('\ue124'), draw('H')
    assert (one.pixels() != other.pixels()).any()
    assert ink(one) == ink(other)
    assert abs(ink(one)[2] - ink(letter)[2]) <= 10 and abs(ink(one)[3] - ink(letter)[3]) <= 10


@pytest.mark.parametrize('text', ['words and words ' * 400, '\ue123' * 300, 'Wörter \ue123 ' * 50])
def test_long_lines_are_cut_to_the_room(text):
    canvas = Canvas(300, 30, 2)
    told = canvas.text(10, 15, text, 12, INK, room=120)
    assert 100 < told <= 120
    assert ink(canvas)[1] <= 10 + 121


def test_no_room_draws_nothing():
    canvas = Canvas(50, 30, 2)
    assert canvas.text(10, 15, 'word', 12, INK, room=2) == 0
    assert canvas.pixels().min() == 255
