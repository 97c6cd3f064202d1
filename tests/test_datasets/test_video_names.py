"""Clips whose suffix is another than the annotations, or the form of their names, say."""

import pytest

from ovmlv.datasets.video_names import SUFFIXES, VideoNames


@pytest.mark.parametrize('suffix', ['.mkv', '.webm', '.avi', '.MOV', '.mpg', '.m4v'])
def test_any_suffix(tmp_path, suffix):
    """FAULTS D9."""
    assert suffix.lower() in SUFFIXES
    (tmp_path / 'P01').mkdir()
    (tmp_path / f'a.b{suffix}').touch()
    (tmp_path / 'P01' / f'c{suffix}').touch()
    name_of = VideoNames(str(tmp_path))
    assert name_of('a.b.mp4') == f'a.b{suffix}'
    assert name_of('P01/c.mp4') == f'P01/c{suffix}'
    assert name_of('none.mp4') == 'none.mp4' and name_of('P02/c.mp4') == 'P02/c.mp4'


def test_the_named_file_comes_first(tmp_path):
    for name in ('a.avi', 'a.mp4', 'b.txt', 'c.webm', 'c.mkv'):
        (tmp_path / name).touch()
    name_of = VideoNames(str(tmp_path))
    assert [name_of(f'{v}.mp4') for v in 'abc'] == ['a.mp4', 'b.mp4', 'c.mkv']


@pytest.mark.parametrize('folder', ['', 'no such folder', 's3://bucket/videos', 'null\0byte'])
def test_folders_that_cannot_be_listed(folder):
    assert VideoNames(folder)('a.mp4') == 'a.mp4'
