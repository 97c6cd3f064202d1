"""Fragments in files: what is written comes back, and what does not fit is named."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from ovmlv.errors import DataError, OutputError
from ovmlv.index.fragment import EncodedWindows, Fragment
from ovmlv.index.fragment_folder import FragmentFolder
from ovmlv.index.video_rows import VideoRow


def encoded(path, count=3, **row):
    rng = np.random.default_rng(count)
    times = np.arange(count, dtype=float)
    vectors = rng.standard_normal((count, 128)).astype(np.float16)
    row = VideoRow(str(path), 7, 1_700_000_000_123_456_789, 'd' * 32, 3.5, None, count, **row)
    return EncodedWindows(row, times, times + 1, vectors, [b'\xff\xd8', None, b''][:count])


@pytest.fixture
def folder(shared, tmp_path):
    return FragmentFolder(tmp_path, shared.settings)


def test_a_fragment_comes_back(folder):
    whole = replace(encoded('/ü "b".mp4', 1), starts=np.array([0.0]), ends=np.array([np.nan]))
    bad = EncodedWindows.bad(VideoRow('/c.mp4', 1, 1), 'damaged', 128)
    videos = (encoded('/a.mp4'), whole, bad)
    path = folder.write(Fragment(videos))
    assert folder.files() == [path]
    found = folder.read(path)
    for one, other in zip(videos, found.videos, strict=True):
        assert one.row == other.row and list(one.thumbnails) == list(other.thumbnails)
        for name in ('starts', 'ends', 'embeddings'):
            assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        assert other.embeddings.dtype == np.float16
    # The tables that are committed are the same to the last bit.
    tables = [part.numbered(5).window_table(128) for part in (Fragment(videos), found)]
    assert tables[0].equals(tables[1]) or tables[0].to_pylist()[:3] == tables[1].to_pylist()[:3]
    # Who does it again replaces the file by its like.
    assert folder.write(Fragment(videos)) == path and folder.files() == [path]
    assert folder.write(Fragment(videos[:1])) != path
    assert folder.rows().keys() == {v.row.path for v in videos}


def test_of_two_readings_the_good_one_counts(folder):
    bad = EncodedWindows.bad(VideoRow('/a.mp4', 7, 1), 'damaged', 128)
    for videos in ((bad, encoded('/b.mp4')), (encoded('/a.mp4'),), (bad,)):
        folder.write(Fragment(videos))
    assert {row.error for row in folder.rows().values()} == {None}


def test_what_does_not_fit_is_named(folder, shared, tmp_path):
    path = folder.write(Fragment((encoded('/a.mp4'),)))
    for other in (
        replace(shared.settings, thumbnail=5),
        replace(shared.settings, reading=replace(shared.settings.reading, window=2.0)),
        replace(shared.settings, encoder={**shared.settings.encoder, 'fingerprint': '0'}),
    ):
        with pytest.raises(DataError, match='another model') as caught:
            FragmentFolder(tmp_path, other).rows()
        assert str(path) in str(caught.value) and '\n' not in str(caught.value)
    # The name of the model and the approximate index matter to nobody.
    same = replace(shared.settings, model=replace(shared.settings.model, model='x'))
    assert FragmentFolder(tmp_path, same).rows()
    (tmp_path / 'file').touch()
    with pytest.raises(OutputError, match='cannot be'):
        FragmentFolder(tmp_path / 'file', shared.settings).write(Fragment((encoded('/a.mp4'),)))


def test_damage_is_one_line(folder):
    path = folder.write(Fragment((encoded('/a.mp4'), encoded('/b.mp4'))))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    damaged = [b'', b'x', whole[:-9], whole[: len(whole) // 2], whole[:8] + whole[200:]]
    for _ in range(200):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=4):
            data[at] = rng.integers(256)
        damaged.append(bytes(data))
    for data in damaged:
        path.write_bytes(data)
        try:
            folder.read(path)
            outcomes.add(None)  # bits of an embedding or a picture
        except DataError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            outcomes.add('refused')
    assert 'refused' in outcomes
    path.unlink()
    with pytest.raises(FileNotFoundError):
        folder.read(path)
    assert folder.rows() == {}


def test_windows_that_are_missing_are_found(folder):
    short = encoded('/a.mp4')
    path = folder.write(Fragment((replace(short, embeddings=short.embeddings[:2]),)))
    with pytest.raises(DataError, match='not all there'):
        folder.read(path)


def test_half_files_of_the_dead_go_after_a_day(folder):
    path = folder.write(Fragment((encoded('/a.mp4'),)))
    old, new = folder.folder / '.x.1-ab.arrow', folder.folder / '.y.1-ab.arrow'
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 1e6,) * 2)
    os.utime(path, (time.time() - 1e6,) * 2)
    folder.tidy()
    assert sorted(folder.folder.iterdir()) == sorted([new, path])
    assert folder.files() == [path]
