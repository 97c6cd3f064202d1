import pytest

from ovmlv.apis import find_videos
from ovmlv.errors import DataError


@pytest.fixture
def folder(tmp_path):
    names = 'b.mp4 a.MKV notes.txt .hidden.mp4 sub/c.webm sub/deep/d.avi .cache/e.mp4 x[1].mp4'
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def relative(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_are_searched_in_order(folder):
    expected = ['a.MKV', 'b.mp4', 'sub/c.webm', 'sub/deep/d.avi', 'x[1].mp4']
    assert relative(find_videos(folder), folder) == expected
    assert relative(find_videos(str(folder / 'sub')), folder) == expected[2:4]


def test_patterns(folder):
    assert relative(find_videos(folder / '*.mp4'), folder) == ['b.mp4', 'x[1].mp4']
    assert relative(find_videos(folder / '**' / '*.avi'), folder) == ['sub/deep/d.avi']
    assert relative(find_videos(folder / 'x[1].mp4'), folder) == ['x[1].mp4'], 'a file goes first'


def test_each_once_in_the_order_given(folder):
    given = [folder / 'sub', folder / 'b.mp4', folder / 'notes.txt', folder]
    assert relative(find_videos(given), folder) == [
        *('sub/c.webm', 'sub/deep/d.avi', 'b.mp4', 'notes.txt', 'a.MKV', 'x[1].mp4')
    ]


def test_a_missing_file_is_left_to_the_reader(folder):
    assert find_videos(folder / 'none.mp4') == [folder / 'none.mp4']


def test_what_cannot_be_found(folder):
    with pytest.raises(FileNotFoundError, match='no file fits'):
        find_videos(folder / '*.mov')
    (folder / 'empty').mkdir()
    with pytest.raises(DataError, match='holds no video'):
        find_videos(folder / 'empty')
    with pytest.raises(DataError, match='is an address; download'):
        find_videos('https://example.org/a.mp4')
    with pytest.raises(TypeError, match='int is no path'):
        find_videos([3])
