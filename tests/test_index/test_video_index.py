"""``VideoIndex``: every good video once, and the probabilities of the inferencer."""

from __future__ import annotations

import csv
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.errors import CheckpointError, ConfigError, DataError, VocabularyError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.index import Query, VideoIndex

from .conftest import LABELS

WORDS = [*LABELS, 'blue square', 'moving left', 'a circle spinning']


def names(result):
    return [Path(hit.video).name for hit in result]


@pytest.mark.parametrize(
    'settings', [dict(window=1.0), dict(window=2.0, stride=0.5), dict(window=None)]
)
def test_results_are_those_of_the_inferencer(clips, inferencer, tmp_path, settings):
    index = VideoIndex.create(tmp_path / 'index', inferencer, **settings)
    report = index.add(clips)
    assert report.encoded == len(index) == len(clips) and not report.unread
    wanted = inferencer(clips, WORDS, **settings)
    before = inferencer.num_decoded
    for expected, found in zip(wanted, index.tag(WORDS, timeline=settings['window'] is not None)):
        assert (found.video, found.labels) == (expected.video, expected.labels)
        assert found.windows == expected.windows
        assert np.abs(found.probabilities - expected.probabilities).max() < 1e-3
        if found.windows:
            both = found.window_probabilities, expected.window_probabilities
            assert np.abs(both[0] - both[1]).max() < 1e-3
    hits = index.find_each(WORDS, top=len(clips))
    for column, result in enumerate(hits):
        best = sorted((-r.probabilities[column], r.video) for r in wanted)
        assert [hit.probability for hit in result] == pytest.approx([-p for p, _ in best], abs=1e-3)
    assert inferencer.num_decoded == before


def test_a_calibration_is_applied(clips, inferencer, shared):
    calibrated = OVMLVInferencer(
        inferencer.model, calibration=Calibration(2.0, 0.3, 0.4, {'red circle': 0.9})
    )
    index = VideoIndex.open(shared.folder, calibrated)
    wanted = calibrated(clips, WORDS, window=1.0)
    for expected, found in zip(wanted, index.tag(WORDS), strict=True):
        assert np.abs(found.probabilities - expected.probabilities).max() < 1e-3
        assert np.array_equal(found.thresholds, expected.thresholds)
    found = index.find('red circle', threshold='calibrated')
    assert names(found) == [Path(r.video).name for r in sorted(
        wanted, key=lambda r: -r.probabilities[0]) if r.probabilities[0] >= 0.9]  # fmt: skip
    assert all(hit.probability >= 0.4 for hit in index.find('blue circle', threshold=0.4))


def test_changes_of_files(videos, inferencer, tmp_path):
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    assert index.add(videos).encoded == 5
    before = inferencer.num_decoded
    assert (again := index.add(videos)).unchanged == 5 and again.encoded == 0
    os.utime(videos / 'red.mp4', ns=(1, 1))  # another time, the same content
    (videos / 'sub').mkdir()
    shutil.move(videos / 'green.mp4', videos / 'sub' / 'moved.mp4')
    report = index.add(videos)
    assert (report.unchanged, report.moved, report.removed, report.encoded) == (4, 1, 0, 0)
    assert inferencer.num_decoded == before
    assert names(index.find('green circle', top=1)) == ['moved.mp4']
    shutil.copy(videos / 'blue.mp4', videos / 'red.mp4')  # other content
    (videos / 'yellow.mp4').unlink()
    report = index.add(videos)
    assert (report.encoded, report.changed, report.removed) == (1, 1, 1)
    assert inferencer.num_decoded == before + 1
    assert sorted(names(index.find('blue circle', top=2))) != ['blue.mp4', 'yellow.mp4']
    assert len(index) == 4 and not index.verify(content=True)
    (videos / 'blue.mp4').unlink()
    assert index.add(videos, keep_gone=True).removed == 0 and len(index) == 4
    assert len(index.verify()) == 1 and 'blue.mp4: is gone' in index.verify()[0]
    assert index.status(videos).gone == 1
    assert index.remove(videos / 'sub') == 1 and len(index) == 3
    with pytest.raises(DataError, match='has no video'):
        index.remove(videos / 'sub')


def test_bad_files_are_reported_and_remembered(videos, inferencer, tmp_path):
    whole = (videos / 'red.mp4').read_bytes()
    (videos / 'cut.mp4').write_bytes(whole[: len(whole) // 2])
    (videos / 'empty.mp4').touch()
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    report = index.add(videos)
    assert report.encoded == 5 and report.summary().endswith('2 could not be read')
    assert {Path(path).name for path in report.unread} == {'cut.mp4', 'empty.mp4'}
    assert all('\n' not in error for error in report.unread.values())
    assert index.status().unread == report.unread == index.add(videos).unread
    (videos / 'cut.mp4').write_bytes(whole)
    report = index.add(videos)
    assert report.encoded == 1 and len(report.unread) == 1 and len(index) == 6
    (videos / 'red.mp4').write_bytes(b'no video')  # a good one that went bad
    report = index.add(videos)
    assert len(report.unread) == 2 and len(index) == 5
    assert not [fault for fault in index.verify() if 'windows' in fault]


def test_one_writer_and_readers_meanwhile(videos, inferencer, tmp_path):
    from ovmlv.index.index_writer import IndexWriter

    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    index.add(videos / 'red.mp4')
    reader = VideoIndex.open(tmp_path / 'index', inferencer)
    assert len(reader) == 1 and reader.snapshot.is_current()
    with IndexWriter(index.folder, index.settings), pytest.raises(ConfigError, match='another pro'):
        index.add(videos)
    index.add(videos)
    index.remove(videos / 'red.mp4')
    assert names(reader.find('blue circle')) == ['red.mp4']
    assert not reader.snapshot.is_current()
    reader.refresh()
    assert reader.snapshot.is_current()
    assert len(reader) == 4 and 'red.mp4' not in names(reader.find('red circle', per='window'))


def test_another_model_is_refused(shared, tmp_path):
    from ovmlv.apis import open_model

    other = open_model('motionshapes', device='cpu')
    next(p for _, p in sorted(other.backbone.named_parameters())).data.add_(0.1)
    with pytest.raises(CheckpointError, match='another model') as caught:
        VideoIndex.open(shared.folder, other)
    assert '\n' not in str(caught.value)
    with pytest.raises(CheckpointError, match='another model'):
        VideoIndex.create(shared.folder, other, window=1.0)
    with pytest.raises(ConfigError, match='another window'):
        VideoIndex.create(shared.folder, shared.inferencer, window=2.0)


def test_no_program_runs_by_the_word_of_an_index(shared, tmp_path):
    folder = tmp_path / 'copy'
    shutil.copytree(shared.folder, folder)
    text = (folder / 'index.json').read_text()
    evil = tmp_path / 'evil.py'
    evil.write_text(f'open({str(tmp_path / "mark")!r}, "w")')
    (folder / 'index.json').write_text(text.replace('"model": null', f'"model": "{evil}"'))
    with pytest.raises(ConfigError, match='is a program'):
        VideoIndex.open(folder).find('red circle')
    assert not (tmp_path / 'mark').exists()


def test_damage_is_one_line(shared, tmp_path):
    for number, damage in enumerate((
        lambda f: (f / 'index.json').write_text('{'),
        lambda f: (f / 'index.json').write_text('{"format": "x"}'),
        lambda f: shutil.rmtree(f / 'windows.lance'),
        lambda f: [p.write_bytes(b'x' * 100) for p in (f / 'windows.lance').rglob('*.lance')],
        lambda f: [p.write_bytes(b'') for p in (f / 'videos.lance').rglob('*.manifest')],
    )):  # fmt: skip
        folder = tmp_path / str(number)
        shutil.copytree(shared.folder, folder)
        damage(folder)
        with pytest.raises(DataError) as caught:
            VideoIndex.open(folder, shared.inferencer).find('red circle')
        assert '\n' not in str(caught.value) and str(folder) in str(caught.value)
    with pytest.raises(FileNotFoundError, match='no video index'):
        VideoIndex.open(tmp_path)
    (tmp_path / 'notes').mkdir()
    (tmp_path / 'notes' / 'a.txt').touch()
    with pytest.raises(ConfigError, match='holds other things'):
        VideoIndex.create(tmp_path / 'notes', shared.inferencer)


# --- questions -----------------------------------------------------------------------------------


def test_logic_times_and_paths(shared, clips):
    every = {w: {} for w in ('red circle', 'blue circle')}
    for result in shared.tag(list(every), timeline=True):
        for window, row in zip(result.windows, result.window_probabilities):
            for label, p in zip(every, row.tolist()):
                every[label][result.video, window.start] = p
    red, blue = every.values()

    def check(query, value, **options):
        found = shared.find(query, top=1000, per='window', **options)
        expected = sorted((value(red[k], blue[k]) for k in red), reverse=True)
        assert [hit.probability for hit in found] == pytest.approx(expected, abs=1e-5)
        for hit in found:
            key = hit.video, hit.window.start
            assert hit.probability == pytest.approx(value(red[key], blue[key]), abs=1e-5)
            assert hit.probabilities['red circle'] == pytest.approx(red[key], abs=1e-5)

    check('red circle', lambda r, b: r)
    check('red circle AND blue circle', min)
    check(['red circle', 'blue circle'], max)
    check('red circle AND NOT blue circle', lambda r, b: min(r, 1 - b))
    check('red circle', lambda r, b: min(r, 1 - b), negative=['blue circle'])
    check('NOT (red circle OR blue circle)', lambda r, b: 1 - max(r, b))
    late = shared.find('red circle', per='window', top=1000, after=3.0)
    assert late and {Path(hit.video).name for hit in late} == {'turning.mp4'}
    assert all(hit.window.end > 3 for hit in late)
    early = shared.find('blue circle', per='window', top=1000, before=1.0)
    assert len(early) == len(clips) and all(hit.window.start < 1 for hit in early)
    best = shared.find('blue circle', top=2)
    assert {Path(hit.video).name for hit in best} == {'blue.mp4', 'turning.mp4'}
    turning = next(hit for hit in best if hit.video.endswith('turning.mp4'))
    assert turning.window.start >= 3
    assert names(shared.find('red circle', within='*/turning*')) == ['turning.mp4']
    assert names(shared.find('red circle', within=clips[0].parent, top=99)) != []
    assert not shared.find('red circle', within='/nowhere')
    strict = shared.find('red circle', threshold=0.5, per='window', top=99)
    assert len(strict) == sum(p >= 0.5 for p in red.values())


def test_forms_of_results(shared, clips):
    result = shared.find('red circle', top=2)
    table = result.to_arrow()
    assert table.column_names == ['query', 'video', 'start', 'end', 'probability']
    assert result.to_pandas()['probability'].tolist() == [hit.probability for hit in result]
    lines = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [line['video'] for line in lines] == [hit.video for hit in result]
    assert float(lines[0]['probability']) == pytest.approx(result[0].probability, rel=1e-5)
    assert (lines[0]['query'], lines[0]['start']) == ('red circle', str(result[0].window.start))
    pictures = result.thumbnails()
    assert all(jpeg[:2] == b'\xff\xd8' and len(jpeg) < 10_000 for jpeg in pictures)
    assert Image.open(io.BytesIO(pictures[0])).size == (64, 64)
    assert len(shared.labels(clips[0], WORDS).windows) == 3


def test_similar_videos_and_duplicates(videos, inferencer, tmp_path):
    shutil.copy(videos / 'red.mp4', videos / 'twin.mp4')
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    index.add(videos)
    near = index.similar(videos / 'red.mp4')
    assert len(near) == 5 and Path(near[0].video).name == 'twin.mp4'
    assert near[0].same_file and near[0].similarity == pytest.approx(1, abs=1e-5)
    assert not any(video.same_file for video in near[1:])
    (pair,) = index.duplicates(0.9999)
    assert {Path(pair.video).name, Path(pair.earlier).name} == {'red.mp4', 'twin.mp4'}
    assert len(index.duplicates(1e-9)) == 15
    with pytest.raises(DataError, match='has no video'):
        index.similar('nothing.mp4')


def test_labels_of_a_bank(shared, inferencer):
    bank = LabelBank.build(inferencer.model, WORDS)
    pairs = zip(shared.tag(bank), shared.tag(WORDS), strict=True)
    assert all(np.allclose(a.probabilities, b.probabilities, atol=1e-5) for a, b in pairs)


@pytest.mark.parametrize(
    ('query', 'error'),
    [
        ('', VocabularyError), ('AND', VocabularyError), ('a AND', VocabularyError),
        ('(a', VocabularyError), ('a)', VocabularyError), ('"a', VocabularyError),
        ('NOT ' * 60 + 'a', VocabularyError), ('(' * 60 + 'a' + ')' * 60, VocabularyError),
        ([], VocabularyError), (3, (VocabularyError, TypeError)), ('"a" "b"', VocabularyError),
    ],
)  # fmt: skip
def test_what_is_no_query(shared, query, error):
    with pytest.raises(error) as caught:
        shared.find(query)
    assert '\n' not in str(caught.value)


def test_wrong_settings_of_questions(shared):
    for options in (dict(top=0), dict(per='frame'), dict(threshold=2), dict(threshold='some')):
        with pytest.raises(ConfigError):
            shared.find('red circle', **options)
    with pytest.raises(ConfigError, match='no approximate index'):
        shared.find('red circle', approximate=True)
    with pytest.raises(ConfigError, match='too few'):
        shared.make_approximate(LABELS)
    assert shared.find_each([]) == []


def test_queries_as_text():
    for text in ('a', 'a AND b', '(a OR b) AND NOT c', 'NOT (a AND b) OR c'):
        assert Query.parse(str(Query.parse(text))) == Query.parse(text)
    assert Query.parse('"x AND (y)"').labels == ('x AND (y)',)
    odd = Query.of('x AND (y)') & Query.of('b')
    assert Query.parse(str(odd)) == odd
