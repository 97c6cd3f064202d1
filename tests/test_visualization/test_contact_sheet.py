import numpy as np
import pytest

from ovmlv.errors import DataError
from ovmlv.visualization import SheetLabel, SheetRow, contact_sheet
from ovmlv.visualization.canvas import Canvas
from ovmlv.visualization.contact_sheet import COLORS


def frames(count=4, height=16, width=16):
    """Frame t is of the grey 40 + 10 t."""
    return np.stack([np.full((height, width, 3), 40 + 10 * t, np.uint8) for t in range(count)])


def pixels_of(sheet, color):
    return int((sheet == np.array(color)).all(-1).sum())


def test_frames_stand_from_left_to_right_at_their_size():
    sheet = contact_sheet([SheetRow(frames(3), [])], frame_size=50, scale=1)
    assert sheet.dtype == np.uint8 and sheet.shape[-1] == 3
    lefts = []
    for t in range(3):
        ys, xs = np.where((sheet == 40 + 10 * t).all(-1))
        assert np.ptp(ys) + 1 == np.ptp(xs) + 1 == 50
        lefts.append(int(xs.min()))
    assert lefts == sorted(lefts)


def test_long_videos_show_their_first_and_last_frame():
    sheet = contact_sheet([SheetRow(frames(9), [])], max_frames=3, scale=1)
    shown = [t for t in range(9) if pixels_of(sheet, (40 + 10 * t,) * 3)]
    assert shown == [0, 4, 8]


def test_frames_keep_their_shape():
    sheet = contact_sheet([SheetRow(frames(1, 20, 40), [])], frame_size=30, scale=1)
    ys, xs = np.where((sheet == 40).all(-1))
    assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == (30, 60)


@pytest.mark.parametrize('truth', [True, False, None])
def test_bars_grow_with_the_probability_in_the_colour_of_the_truth(truth):
    def bar(p):
        return pixels_of(
            contact_sheet([SheetRow(frames(), [SheetLabel('', p, truth)])], scale=1)[40:],
            COLORS[truth][1],
        )

    assert bar(0.0) == 0 if truth is None else bar(0.0) < 20
    assert bar(1.0) > 1.8 * bar(0.5) > 0
    others = contact_sheet([SheetRow(frames(), [SheetLabel('', 1.0, truth)])], scale=1)[40:]
    assert all(not pixels_of(others, COLORS[t][1]) for t in COLORS if t is not truth)


def test_groups_are_columns_and_max_labels_holds():
    labels = [SheetLabel(f'l{i}', 0.9, True, group) for group in 'ab' for i in range(7)]
    one = contact_sheet([SheetRow(frames(), labels[:7])], scale=1, max_labels=5)
    two = contact_sheet([SheetRow(frames(), labels)], scale=1, max_labels=5)
    more = contact_sheet([SheetRow(frames(), labels)], scale=1, max_labels=7)
    assert two.shape[1] > one.shape[1] + 100
    assert more.shape[0] > two.shape[0]


def test_scale_is_pixels_a_unit():
    rows = [SheetRow(frames(), [SheetLabel('a', 0.5)], 'one'), SheetRow(frames(2), [], 'two')]
    small, large = (contact_sheet(rows, 'Title', scale=s) for s in (1, 2))
    assert large.shape == (2 * small.shape[0], 2 * small.shape[1], 3)


def test_long_texts_stay_in_their_place():
    """A label of any length and odd values change nothing outside its bar."""

    def sheet(text, p):
        return contact_sheet([SheetRow(frames(), [SheetLabel(text, p, True)])], scale=1)

    short, long = sheet('a', 1.0), sheet('a very long label ' * 20 + '走る', 1.0)
    assert short.shape == long.shape
    changed = np.where((short != long).any(-1).any(0))[0]
    _ys, xs = np.where((short == np.array(COLORS[True][1])).all(-1))
    assert xs.min() <= changed.min() and changed.max() <= xs.max()
    assert sheet('line\nbreak', float('nan')).shape == short.shape


def test_mistakes_are_named():
    with pytest.raises(DataError, match='at least one video'):
        contact_sheet([])
    with pytest.raises(DataError, match=r'v.mp4: frames are float32 \(2, 4, 4, 3\)'):
        contact_sheet([SheetRow(np.zeros((2, 4, 4, 3), np.float32), [], 'v.mp4')])
    with pytest.raises(DataError, match='at least 1'):
        contact_sheet([SheetRow(frames(), [])], max_frames=0)


def test_text_is_cut_where_there_is_no_room():
    canvas = Canvas(100, 20, 2)
    whole = canvas.text(0, 10, 'a text of some length', 10, (0, 0, 0))
    cut = canvas.text(0, 10, 'a text of some length', 10, (0, 0, 0), room=whole / 2)
    assert whole / 3 < cut <= whole / 2
