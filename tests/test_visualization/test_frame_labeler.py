import numpy as np
import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.visualization.frame_labeler import _PRESENT, FrameLabeler, PlateRow

ROWS = [PlateRow('a dog', 1.0), PlateRow('running', 0.5), PlateRow('a cat', 0.01, False)]
LABELS = [row.label for row in ROWS]


def grey(height, width, level=90):
    return np.full((height, width, 3), level, np.uint8)


def bar_widths(picture):
    """Pixels of the colour of present labels in the rows of the picture that have most."""
    return (np.abs(picture.astype(int) - np.array(_PRESENT)) <= 3).all(-1).sum(1)


@pytest.mark.parametrize('size', [(360, 640), (361, 641), (1080, 1920), (960, 540)])
def test_large_frames_keep_their_size_and_most_of_the_picture(size):
    labeler = FrameLabeler(size, LABELS)
    out = labeler(grey(*size), ROWS)
    assert out.dtype == np.uint8 and out.shape[:2] == labeler.output_size
    assert out.shape[0] - size[0] == size[0] % 2 and out.shape[1] - size[1] == size[1] % 2
    untouched = (out == 90).all(-1)
    assert untouched[: size[0] // 2].all()
    assert 0.5 < untouched.mean() < 0.97
    # It was padded by what lies next to it.
    assert (labeler(grey(*size), []) == 90).all()


@pytest.mark.parametrize('size', [(64, 64), (16, 20), (120, 239)])
def test_small_frames_are_enlarged_and_hidden_nowhere(size):
    labeler = FrameLabeler(size, LABELS)
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    out = labeler(frame, ROWS)
    height, width = labeler.height, labeler.width
    assert min(height, width) >= 320 and height % size[0] == width % size[1] == 0
    assert out.shape[1] > width and out.shape[:2] == labeler.output_size
    assert (out[:height, :width] == labeler(frame, [])[:height, :width]).all()


def test_bars_are_as_long_as_probabilities():
    labeler = FrameLabeler((300, 400), LABELS, place='beside')
    for p in (0.25, 0.5, 1.0):
        widths = bar_widths(labeler(grey(300, 400), [PlateRow('', p)]))
        inner = labeler.plate_width - 2 * labeler._padding
        # The number stands in the bar, but not in the rows of pixels at its edges.
        assert widths.max() == pytest.approx(p * inner, abs=0.02 * inner + 2)
    assert not bar_widths(labeler(grey(300, 400), [PlateRow('', 0.9, False)])).any()
    assert not bar_widths(labeler(grey(300, 400), [PlateRow('', float('nan'))])).any()


@pytest.mark.parametrize('level', [0, 128, 255])
def test_letters_stay_bright_and_the_plate_dark(level):
    labeler = FrameLabeler((360, 640), LABELS)
    out = labeler(grey(360, 640, level), ROWS)
    margin = round(0.5 * labeler.font)
    plate = out[
        360 - margin - labeler._plate_height(3) : 360 - margin, margin : labeler.plate_width
    ]
    assert plate.max() >= 250 if level == 255 else plate.max() >= 200
    assert np.median(plate) <= 110


def test_the_size_does_not_depend_on_what_is_shown():
    """All frames of a video must have one size, whichever labels a moment has."""
    labeler = FrameLabeler((64, 64), [*LABELS, 'a very long label ' * 20], 3)
    shapes = {labeler(grey(64, 64), rows).shape for rows in (ROWS, ROWS[:1], [])}
    shapes.add(labeler(grey(64, 64), [PlateRow('another ' * 90, 0.3)], '0 – 2 s').shape)
    assert len(shapes) == 1


@pytest.mark.parametrize('size', [(64, 64), (256, 340), (30, 2000), (2000, 30)])
@pytest.mark.parametrize('place', ['auto', 'over', 'beside'])
@pytest.mark.parametrize('count', [1, 40])
def test_any_number_of_labels_fits(size, place, count):
    rows = [PlateRow(f'label number {i}', i / count) for i in range(count)]
    labeler = FrameLabeler(size, [row.label for row in rows], count, place, headed=True)
    out = labeler(grey(*size), rows, '0 – 2 s')
    assert out.shape[:2] == labeler.output_size
    assert 1 <= labeler.max_rows <= count
    assert (out != 90).any()


def test_the_last_row_counts_what_does_not_fit():
    rows = [PlateRow(f'label number {i}', 1.0) for i in range(40)]
    labeler = FrameLabeler((256, 340), ['label number 0'], 40, 'beside')
    full, more, most = (labeler(grey(256, 340), rows[:n]) for n in (labeler.max_rows, 30, 40))
    assert (more != most).any() and (full != more).any()
    line = labeler._row_height + labeler._gap
    last = labeler._padding + (labeler.max_rows - 1) * line
    changed = np.where((more != most).any((1, 2)))[0]
    assert last <= changed.min() and changed.max() < last + line


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="place='under' is none of auto, over, beside"):
        FrameLabeler((64, 64), [], place='under')
    with pytest.raises(ConfigError, match='max_rows=0'):
        FrameLabeler((64, 64), [], 0)
    with pytest.raises(DataError, match=r'uint8 \(9, 9, 3\); give RGB uint8 \(64, 64, 3\)'):
        FrameLabeler((64, 64), [])(grey(9, 9), [])
