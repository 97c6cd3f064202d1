"""Formats, choices and pictures of ``ovmlv tag``."""

import csv
import io
import json
import os
import shutil

import numpy as np
import pytest

from ovmlv.apis import LabelBank, OVMLVInferencer, TagResult, Window, open_model
from ovmlv.cli.result_formats import Choice, Csv, JsonLines, Table
from ovmlv.evaluation.score_calibration import Calibration

from .conftest import LABELS, MODEL


@pytest.fixture(scope='module')
def expected(clips):
    """What the inferencer says of the first clip, by label."""
    result = OVMLVInferencer('motionshapes', device='cpu')([clips[0]], LABELS)[0]
    return dict(result.top())


def test_formats_say_the_same(command, clips, expected):
    tag = ['tag', clips[0], *MODEL, '--labels', *LABELS]
    status, out, err = command(*tag, '--format', 'jsonl')
    assert (status, err) == (0, '1 tagged\n')
    row = json.loads(out)
    assert row['video'] == str(clips[0])
    assert {v['label']: v['probability'] for v in row['labels']} == expected
    out = command(*tag, '--format', 'csv')[1]
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row['label'] for row in rows] == list(expected)
    found = [float(row['probability']) for row in rows]
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-5)
    lines = command(*tag)[1].splitlines()
    assert lines[0] == str(clips[0])
    assert [line[2:].split('  ')[0] for line in lines[1:]] == list(expected)


def test_top_k_and_thresholds(command, clips, expected, tmp_path):
    tag = ['tag', clips[0], *MODEL, '--format', 'jsonl', '--labels', *LABELS]

    def labels(*more):
        return [v['label'] for v in json.loads(command(*tag, *more)[1])['labels']]

    names, values = list(expected), list(expected.values())
    assert labels('--top-k', 2) == names[:2]
    assert labels('--threshold', values[1]) == names[:2]
    assert labels('--threshold', values[1], '--top-k', 1) == names[:1]
    assert labels('--threshold', 1) == []
    assert labels('--present') == [n for n, p in expected.items() if p >= 0.5]
    # Calibrated: each label's own threshold.
    calibration = tmp_path / 'calibration.json'
    own = {names[0]: 1.0, names[2]: 0.0}
    Calibration(2.0, 0.1, 0.999, own).save(calibration)
    assert labels('--present', '--calibration', calibration) == [names[2]]
    row = json.loads(command(*tag, '--calibration', calibration)[1])
    logit = np.log(values[0] / (1 - values[0])) / 2 + 0.1
    np.testing.assert_allclose(row['labels'][0]['probability'], 1 / (1 + np.exp(-logit)), 1e-4)


def test_windows(command, clips):
    tag = ['tag', clips[1], *MODEL, '--labels', *LABELS, '--top-k', 2]
    timeline = [*tag, '--window', 0.5, '--stride', 0.25, '--timeline']
    row = json.loads(command(*timeline, '--format', 'jsonl', '--timings')[1])
    found = np.array([w['probabilities'] for w in row['windows']])
    assert found.shape[1] == 2 and len(found) > 2
    best = [v['probability'] for v in row['labels']]
    np.testing.assert_allclose(found.max(0), best, rtol=1e-6)
    assert [w['start'] for w in row['windows'][:2]] == [0.0, 0.25]
    assert set(row['timings']) == {'decode', 'encode', 'score'}
    rows = list(csv.DictReader(io.StringIO(command(*timeline, '--format', 'csv')[1])))
    assert len(rows) == found.size
    assert [float(r['start']) for r in rows[:2]] == [0.0, 0.25]
    text = command(*timeline)[1]
    assert f'{len(found)} windows' in text
    # The maximum over windows, without their rows.
    row = json.loads(command(*tag, '--window', 0.5, '--stride', 0.25, '--format', 'jsonl')[1])
    assert [v['probability'] for v in row['labels']] == best and 'windows' not in row


def test_labels_of_a_bank_and_of_a_file(command, clips, tmp_path):
    bank = tmp_path / 'bank'
    LabelBank.build(open_model('motionshapes', device='cpu'), LABELS, bank)
    file = tmp_path / 'labels.txt'
    file.write_text('\n'.join(LABELS) + '\n')
    tag = ['tag', clips[2], *MODEL, '--format', 'jsonl']
    first = command(*tag, '--bank', bank)
    assert first[0] == 0
    one, two = json.loads(first[1]), json.loads(command(*tag, '--labels-file', file)[1])
    assert [v['label'] for v in one['labels']] == [v['label'] for v in two['labels']]
    assert command(*tag, '--labels-file', bank)[0] == 2
    # Another model's bank.
    other = [*tag, '--cfg-options', "model.head.templates=['a {}']"]
    status, _, err = command(*other, '--bank', bank)
    assert status == 2 and 'another label encoder' in err


def test_a_video_counts_once_however_it_is_written(command, clips, monkeypatch, tmp_path):
    (tmp_path / 'x').mkdir()
    video = tmp_path / 'a.mp4'
    shutil.copy(clips[0], video)
    monkeypatch.chdir(tmp_path)
    shutil.copy(clips[1], 'b.mp4')
    given = ['a.mp4', video, 'x/../a.mp4', 'b.mp4', '*.mp4', tmp_path]
    out = command('tag', *given, *MODEL, '--labels', 'a', '--format', 'jsonl')[1]
    assert [json.loads(line)['video'] for line in out.splitlines()] == ['a.mp4', 'b.mp4']


def test_file_names_that_are_no_utf8(command, clips, tmp_path):
    folder = tmp_path / 'odd'
    folder.mkdir()
    names = [b'caf\xe9.mp4', b'two\nlines, "quoted".mp4', 'ü 視頻.mp4'.encode()]
    for name in names:
        try:
            os.link(os.fsencode(clips[0]), os.path.join(os.fsencode(folder), name))
        except OSError:
            pytest.skip('this file system wants UTF-8')
    paths = sorted(os.fsdecode(os.path.join(os.fsencode(folder), name)) for name in names)
    for ending in ('jsonl', 'csv'):
        output = tmp_path / f'tags.{ending}'
        args = ['tag', folder, *MODEL, '--labels', 'a', '--output', output, '--resume']
        assert command(*args)[0] == 0
        style = JsonLines() if ending == 'jsonl' else Csv(False)
        assert sorted(style.written(output, True)[0]) == paths
        assert '0 tagged, 3 done before' in command(*args)[2]
    assert json.loads(output.with_suffix('.jsonl').read_bytes().splitlines()[0])['video'] in paths


def test_pictures(command, clips, fill, tmp_path):
    fill(tmp_path / 'videos', clips, 2, 1)
    shutil.copytree(tmp_path / 'videos', tmp_path / 'videos' / 'again')
    out = tmp_path / 'videos' / 'drawn'  # below the folder that is searched
    tag = ['tag', tmp_path / 'videos', *MODEL, '--labels', *LABELS]
    save = ['--save-video', out, '--save-timeline', out, '--save-sheet', tmp_path / 'sheet.png']
    status, _, err = command(*tag, *save)
    assert status == 3 and err.endswith('4 tagged, 2 could not be read\n')
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 8, names
    assert sum(name.endswith('.tagged.mp4') for name in names) == 4
    assert sum(name.endswith('.timeline.png') for name in names) == 4
    assert (tmp_path / 'sheet.png').stat().st_size > 1000
    # Its own pictures are not tagged.
    assert command(*tag, '--save-video', out)[2].endswith('4 tagged, 2 could not be read\n')
    one = ['tag', clips[0], *MODEL, '--labels', *LABELS]
    assert command(*one, '--save-video', tmp_path / 'one.mp4', '--save-sheet', out)[0] == 0
    assert (tmp_path / 'one.mp4').is_file() and (out / 'red.sheet.png').is_file()
    for path, words in [
        (clips[0], 'is the video itself'),
        (tmp_path / 'sheet.png', 'is a file'),
    ]:
        status, _, err = command(*one, '--save-video', path)
        assert status == 2 and words in err
    status, _, err = command(*tag, '--save-video', tmp_path / 'all.mp4')
    assert status == 2 and 'is one file for' in err


def test_text_of_results():
    windows = (Window(0.0, 1.0), Window(1.0, 2.0))
    each = np.array([[0.2, 0.9], [0.4, 0.0]], np.float32)
    result = TagResult('v.mp4', ('a', 'b, c'), each.max(0), None, None, windows, each)
    chosen = Choice(timeline=True).of(result)
    assert Csv(True).text(chosen) == (
        'v.mp4,"b, c",0.9,0.0,1.0\nv.mp4,"b, c",0,1.0,2.0\n'
        'v.mp4,a,0.2,0.0,1.0\nv.mp4,a,0.4,1.0,2.0\n'
    )
    assert Csv(False).text(Choice(threshold=1.0).of(result)) == 'v.mp4,,\n'
    assert Table().text(chosen).splitlines()[-2:] == ['  |▇ |  b, c', '  |▂▃|  a']
    assert '(none)' in Table().text(Choice(threshold=1.0).of(result))
    assert json.loads(JsonLines().text(chosen))['windows'][0]['probabilities'] == pytest.approx(
        [0.9, 0.2]
    )


def test_names_that_begin_with_a_dash(command, clips, tmp_path, monkeypatch):
    """FAULTS D11: ``-- -abc.mp4`` failed."""
    monkeypatch.chdir(tmp_path)
    two = ['-abc.mp4', '--model', '--']
    for name in (*two, '-'):
        shutil.copy(clips[0], name)
    tag = ['tag', *MODEL, '--format', 'jsonl', '--top-k', 1, '--labels', *LABELS]
    for arguments, names in (
        (['--', '-abc.mp4'], ['-abc.mp4']),
        (['--', *two, clips[1]], [*two, str(clips[1])]),
        (['--', clips[1]], [str(clips[1])]),
    ):
        status, out, err = command(*tag, *arguments)
        assert status == 0, err
        assert [json.loads(line)['video'] for line in out.splitlines()] == names
    status, out, _ = command('tag', clips[1], *tag[1:], '--', '-abc.mp4')
    assert status == 0 and len(out.splitlines()) == 2
    status, _, err = command('tag', '-abc.mp4', *tag[1:])
    assert status == 2 and err.startswith('usage')


def test_a_missing_file_with_brackets_does_not_end_the_run(command, clips, tmp_path):
    """FAULTS D11"""
    gone = tmp_path / 'gone [abc].mp4'
    status, out, err = command('tag', gone, clips[0], *MODEL, '--labels', 'a', '--format', 'jsonl')
    assert status == 3 and len(out.splitlines()) == 1
    assert str(gone) in err and '1 tagged, 1 could not be read' in err
