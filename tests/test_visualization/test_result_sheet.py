import numpy as np
import pytest
from PIL import Image

from ovmlv.errors import ConfigError, DataError
from ovmlv.visualization import write_contact_sheet
from ovmlv.visualization.contact_sheet import _ABSENT, COLORS
from ovmlv.visualization.result_sheet import make_row
from tests.test_visualization.results import broken, whole


def count(path, color):
    return int((np.asarray(Image.open(path)) == np.array(color)).all(-1).sum())


def test_rows_say_what_is_present_and_what_failed(write_video, tmp_path):
    video = write_video('a dog.mp4')
    row = make_row(whole(video, dict(dog=0.9, cat=0.1, cow=0.6)), top_k=3)
    assert row.title == 'a dog.mp4' and len(row.frames) == 5  # of 4 : 3
    assert [(v.label, v.present) for v in row.labels] == [
        ('dog', True), ('cow', True), ('cat', False),
    ]  # fmt: skip
    assert row.labels[0].probability == pytest.approx(0.9)
    limits = np.array([0.95, 0.05], np.float32)
    row = make_row(whole(video, dict(dog=0.9, cat=0.1), thresholds=limits))
    assert [v.present for v in row.labels] == [False, True]
    bad = make_row(broken('x/bad.mp4', 'video x/bad.mp4 cannot be read (no moov); remove it'))
    assert (bad.title, bad.problem) == ('bad.mp4', 'cannot be read (no moov); remove it')
    gone = make_row(whole(tmp_path / 'gone.mp4', dict(dog=0.9)))
    assert gone.problem.startswith('not found') and not gone.labels


def test_sheet_has_a_row_for_each_video(write_video, tmp_path):
    video = write_video()
    results = [whole(video, dict(dog=1.0, cat=0.3)), broken('bad.mp4', 'cut short')]
    one = write_contact_sheet(results[:1], tmp_path / 'new' / 'one.png')
    both = write_contact_sheet(iter(results), tmp_path / 'both.png')
    assert one == [tmp_path / 'new' / 'one.png'] and both == [tmp_path / 'both.png']
    (width, height), (wider, higher) = (Image.open(p[0]).size for p in (one, both))
    assert wider >= width and height < higher < 2 * height
    assert count(one[0], COLORS[None][1]) > count(one[0], _ABSENT[1]) > 0
    assert count(both[0], COLORS[False][0]) > 0 == count(one[0], COLORS[False][0])


def test_many_videos_take_several_pictures(write_video, tmp_path):
    video = write_video()
    results = [whole(video, {f'label {i}': 0.5}) for i in range(5)]
    pages = write_contact_sheet(results, tmp_path / 's.jpg', page_size=2)
    assert [p.name for p in pages] == ['s.jpg', 's-2.jpg', 's-3.jpg']
    heights = [Image.open(p).size[1] for p in pages]
    assert heights[0] == heights[1] > heights[2]


def test_frames_may_be_given(tmp_path):
    frames = np.full((9, 30, 40, 3), 77, np.uint8)
    row = make_row(whole('array', dict(dog=0.9)), frames=frames, max_frames=4)
    assert row.frames.shape == (4, 30, 40, 3)
    out = tmp_path / 's.png'
    write_contact_sheet([whole('array', dict(dog=0.9))], out, frames={'array': frames})
    assert count(out, (77, 77, 77)) > 10000


def test_wide_and_large_frames_leave_room_for_labels():
    wide = np.zeros((9, 300, 900, 3), np.uint8)
    row = make_row(whole('array', dict(dog=0.9)), frames=wide)
    assert row.frames.shape == (2, 208, 624, 3)


def test_forty_labels_flow_into_columns(write_video, tmp_path):
    result = whole(write_video(), {f'label {i}': i / 40 for i in range(40)})
    few = write_contact_sheet([result], tmp_path / 'few.png', top_k=15)[0]
    many = write_contact_sheet([result], tmp_path / 'many.png', top_k=40)[0]
    (width, height), (wider, higher) = (Image.open(p).size for p in (few, many))
    assert higher <= height and wider > width + 2 * 2 * 200


def test_mistakes_are_named(write_video, tmp_path):
    with pytest.raises(DataError, match='at least one result'):
        write_contact_sheet([], tmp_path / 's.png')
    with pytest.raises(ConfigError, match=r's.txt: name a file ending in .png'):
        write_contact_sheet([whole('v', dict(a=0.1))], tmp_path / 's.txt')
    with pytest.raises(ConfigError, match='top_k=0'):
        write_contact_sheet([whole('v', dict(a=0.1))], tmp_path / 's.png', top_k=0)
