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


def test_linked_folders(folder, tmp_path_factory):
    """FAULTS D11: they were left out."""
    other = tmp_path_factory.mktemp('other')
    (other / 'deep').mkdir()
    (other / 'y.mp4').touch()
    (other / 'deep' / 'z.mp4').touch()
    (folder / 'linked').symlink_to(other)
    (folder / 'again').symlink_to(folder / 'sub')  # is there under its own name
    (folder / 'circle').symlink_to(folder)
    (other / 'back').symlink_to(folder)
    (folder / 'broken').symlink_to(folder / 'nowhere')
    (folder / '.hidden').symlink_to(other)
    found = relative(find_videos(folder), folder)
    assert found == [
        *('a.MKV', 'b.mp4', 'linked/deep/z.mp4', 'linked/y.mp4'),
        *('sub/c.webm', 'sub/deep/d.avi', 'x[1].mp4'),
    ]
    top = folder / 'top'
    top.symlink_to(folder / 'sub')
    assert relative(find_videos(top), top) == ['c.webm', 'deep/d.avi']


@pytest.mark.parametrize('name', ['gone [abc].mp4', 'what?.mp4', 'x[2].mp4', '[].mp4'])
def test_signs_of_patterns_in_real_names(folder, name):
    """FAULTS D11: a file that is gone ended the run before it began."""
    assert find_videos(folder / name) == [folder / name]
    assert relative(find_videos([folder / 'b.mp4', folder / name]), folder) == ['b.mp4', name]


def test_patterns_below_folders_with_such_signs(folder):
    """FAULTS D11"""
    odd = folder / 'clips [1]' / '*'
    odd.mkdir(parents=True)
    (odd / 'a[1].mp4').touch()
    (odd / 'b.mp4').touch()
    for pattern in ('*.mp4', '[ab]*', '**/*.mp4'):
        assert [path.name for path in find_videos(odd / pattern)] == ['a[1].mp4', 'b.mp4']
    assert find_videos(odd / 'a[1].mp4') == [odd / 'a[1].mp4']


def test_names_that_look_like_something_else(folder, monkeypatch):
    """FAULTS D11"""
    monkeypatch.chdir(folder)
    for name in ('~nobody.mp4', '-abc.mp4', 'http:', '~'):
        (folder / name).touch()
        assert find_videos(name) == [folder.__class__(name)]
    assert find_videos('~gone-user/a.mp4') == [folder.__class__('~gone-user/a.mp4')]
