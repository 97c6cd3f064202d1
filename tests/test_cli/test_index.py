"""``ovmlv index``."""

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import LABELS, MODEL

MISSING = [name for name in ('lancedb', 'pyarrow') if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install 'ovmlv[index]'"
)


@pytest.fixture(scope='module')
def filled(clips, tmp_path_factory):
    """Videos, an index of them, and a damaged file."""
    from ovmlv.cli import main

    folder = tmp_path_factory.mktemp('index')
    shutil.copytree(clips[0].parent, folder / 'videos')
    (folder / 'videos' / 'bad.mp4').write_bytes(b'no video')
    arguments = ['index', 'add', folder / 'videos', '--index', folder / 'index', *MODEL]
    report = ['--report', folder / 'bad.jsonl', '--window', '1', '--timings']
    assert main([str(argument) for argument in [*arguments, *report]]) == 3
    return folder


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_adding(command, filled, monkeypatch):
    (bad,) = rows((filled / 'bad.jsonl').read_text())
    assert bad['video'] == str(filled / 'videos' / 'bad.mp4') and 'repair' in bad['error']
    monkeypatch.setenv('OVMLV_INDEX', str(filled / 'index'))
    status, out, err = command('index', 'add', filled / 'videos')
    assert status == 3 and '0 videos encoded, 4 unchanged, 1 could not be read' in out
    assert err.count('\n') == 1 and 'bad.mp4' in err
    found = rows(command('index', 'status', filled / 'videos', '--format', 'jsonl')[1])[0]
    assert (found['videos'], found['windows'], found['new'], found['gone']) == (4, 8, 0, 0)
    assert found['model'] == 'motionshapes' and len(found['unread']) == 1
    assert 'video encoder' in command('index', 'status')[1]
    assert command('index', 'verify', '--content')[0] == 0


def test_asking(command, filled, clips, tmp_path):
    index = ['--index', filled / 'index', '--device', 'cpu']
    words = tmp_path / 'words.txt'
    words.write_text('\n'.join(LABELS))
    found = rows(command('index', 'find', *LABELS, *index, '--top', 1, '--format', 'jsonl')[1])
    wanted = [f'{color}.mp4' for color in ('red', 'green', 'blue', 'yellow')]
    assert [Path(row['video']).name for row in found] == wanted
    assert [row['query'] for row in found] == LABELS
    query = ['index', 'find', f'{LABELS[0]} OR {LABELS[1]}', '--not', LABELS[0], *index]
    out = command(*query, '--format', 'csv', '--threshold', 0.5)[1].splitlines()
    assert out[0] == 'query,video,start,end,probability'
    assert {Path(line.split(',')[1]).name for line in out[1:]} == {'green.mp4'}
    pictures = tmp_path / 'pictures'
    assert 'green.mp4' in command(*query, '--top', 1, '--save-thumbnails', pictures)[1]
    assert [path.name for path in pictures.iterdir()] == ['1-001-green.jpg']
    # The same lines as ovmlv tag writes.
    tag = ['index', 'tag', '--labels', words, *index, '--top-k', 2]
    ours = rows(command(*tag, '--format', 'jsonl')[1])
    videos = filled / 'videos'
    files = [videos / name for name in sorted(wanted)]
    theirs = rows(command('tag', *files, *MODEL, '--labels-file', words, '--window', 1, '--top-k',
                          2, '--format', 'jsonl')[1])  # fmt: skip
    assert [row['video'] for row in ours] == [row['video'] for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one['labels'], other['labels'], strict=True):
            assert a['label'] == b['label'] and abs(a['probability'] - b['probability']) < 1e-3
    import pyarrow.parquet

    table = tmp_path / 'tags.parquet'
    assert command(*tag, '--output', table, '--timeline')[0] == 0
    content = pyarrow.parquet.read_table(table)
    assert content.column_names == ['video', 'label', 'probability', 'start', 'end']
    assert content.num_rows == 4 * 2 * 2
    status, _, err = command(*tag, '--output', table)
    assert status == 2 and 'exists' in err
    assert command(*tag, '--output', tmp_path / 'tags.csv')[0] == 0
    assert (tmp_path / 'tags.csv').read_text().count('\n') == 9
    labels = ['index', 'labels', videos / 'red.mp4', '--labels', *LABELS, '--timeline', *index]
    out = command(*labels, '--format', 'jsonl')[1]
    assert rows(out)[0]['labels'][0]['label'] == 'red circle' and len(rows(out)[0]['windows']) == 2
    near = rows(command('index', 'similar', videos / 'red.mp4', *index[:2], '--format', 'jsonl')[1])
    assert len(near) == 3
    pairs = ['index', 'duplicates', *index[:2], '--least', 0.0001]
    out = command(*pairs, '--format', 'csv')[1]
    assert out.startswith('video,earlier,similarity,same_file\n')
    # The same rows in files: what text shows in six digits, Parquet has in full.
    find = ['index', 'find', *LABELS[:2], *index]
    similar = ['index', 'similar', videos / 'red.mp4', *index[:2]]
    for number, asked in enumerate((find, similar, pairs)):
        table, text = tmp_path / f'{number}.parquet', tmp_path / f'{number}.csv'
        for path in (table, text):
            assert command(*asked, '--output', path)[:2] == (0, '')
        status, _, err = command(*asked, '--output', table)
        assert status == 2 and 'exists' in err
        assert command(*asked, '--output', table, '--overwrite')[0] == 0
        content = pyarrow.parquet.read_table(table).to_pylist()
        with text.open() as file:
            shown = list(csv.DictReader(file))
        assert len(content) == len(shown) > 1 and list(content[0]) == list(shown[0])
        for full, short in zip(content, shown, strict=True):
            for name, value in full.items():
                if isinstance(value, float):
                    assert float(short[name]) == pytest.approx(value, rel=1e-5)
                else:
                    assert short[name] == str(value)
    assert command(*find, '--output', tmp_path / 'a.jsonl')[0] == 0
    assert rows((tmp_path / 'a.jsonl').read_text())[0]['labels']
    for wrong, words in (
        (['--format', 'parquet'], 'needs --output'),
        (['--overwrite'], 'needs --output'),
        (['--output', tmp_path / 'a.xyz'], 'tells no format'),
    ):
        status, out, err = command(*similar, *wrong)
        assert (status, out) == (2, '') and words in err and err.count('\n') == 1
    assert command('index', 'optimize', *index)[0] == 0


def test_what_is_refused(command, filled, tmp_path):
    index = ['--index', filled / 'index']
    (tmp_path / 'config.py').write_text('model = dict()')
    for arguments, words in [
        (['find', 'a', '--index', tmp_path / 'none'], 'no video index'),
        (['add', filled / 'videos', '--index', tmp_path / 'none'], 'give --model'),
        (['add', filled / 'videos', *index, '--window', 2], 'another window'),
        (['add', filled / 'videos', *index, '--whole-videos', '--window', 2], 'leave them out'),
        (['add', tmp_path / 'nothing*.mp4', *index], 'no file fits'),
        (['find', 'a AND', *index], 'a label is missing'),
        (['find', 'a', *index, '--approximate'], 'no approximate index'),
        (['tag', *index], 'no labels'),
        (['tag', '--labels', 'a', '--format', 'parquet', *index], 'needs --output'),
        (['tag', tmp_path, '--labels', 'a', *index], 'has no video'),
        (['labels', 'x.mp4', '--labels', 'a', *index], 'has no video'),
        (['similar', 'x.mp4', *index], 'has no video'),
        (['remove', 'x.mp4', *index], 'has no video'),
        (['optimize', '--approximate', '--labels', 'a', *index], 'too few'),
    ]:
        status, out, err = command('index', *arguments)
        assert (status, out) == (2, '') and words in err and err.count('\n') == 1, err


@pytest.mark.skipif(shutil.which('flock') is None, reason='there is no program flock')
def test_backup_of_the_page_for_operators(command, filled, tmp_path):
    """The lock that a shell holds keeps a writer out, and readers in; the copy is whole."""
    index, copy = filled / 'index', tmp_path / 'copy'
    script = f'cp -r {index} {copy} && echo done && read line'
    shell = ['flock', '--nonblock', index / '.writer.lock', 'sh', '-c', script]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout.readline() == 'done\n'
        status, _, err = command('index', 'remove', filled / 'videos', '--index', index)
        assert status == 2 and 'another process is writing' in err
        assert command('index', 'status', '--index', index)[0] == 0
        held.stdin.write('\n')
    assert command('index', 'verify', '--index', copy)[0] == 0
    for folder in (index, copy):
        _, out, _ = command('index', 'status', '--index', folder, '--format', 'jsonl')
        assert rows(out)[0]['videos'] == 4


def test_removing(command, filled, tmp_path):
    shutil.copytree(filled / 'index', tmp_path / 'index')
    index = ['--index', tmp_path / 'index']
    _, out, _ = command('index', 'remove', filled / 'videos' / 'r*', *index)
    assert out == f'{tmp_path / "index"}: 1 videos taken out, 3 are left\n'
    command('index', 'remove', filled / 'videos', *index)
    assert rows(command('index', 'status', *index, '--format', 'jsonl')[1])[0]['videos'] == 0
    assert command('index', 'find', 'a', *index, '--device', 'cpu', '--format', 'jsonl')[1] == ''


def test_parts(command, filled, tmp_path):
    """Each process does its part, and one merges; parts of results are the whole."""
    index = ['--index', tmp_path / 'index']
    add = ['index', 'add', filled / 'videos', *index, *MODEL, '--window', 1]
    bad = set()
    for number in (2, 1):
        report = tmp_path / f'{number}.jsonl'
        status, out, err = command(*add, '--shard', f'{number}/2', '--report', report)
        assert f'part {number}/2 is done' in out and status == (3 if report.stat().st_size else 0)
        bad |= {row['video'] for row in rows(report.read_text())}
    assert bad == {str(filled / 'videos' / 'bad.mp4')}
    status, out, err = command('index', 'merge', *index, '--report', tmp_path / 'bad.jsonl')
    assert out.endswith(': 4 videos taken in, 1 could not be read; 4 videos in all\n')
    assert status == 3 and rows((tmp_path / 'bad.jsonl').read_text())[0]['video'] in bad
    assert command('index', 'merge', *index)[:2] == (
        0, f'{tmp_path / "index"}: 0 videos taken in; 4 videos in all\n'
    )  # fmt: skip
    assert '0 videos encoded, 4 unchanged' in command('index', 'add', filled / 'videos', *index)[1]
    tag = ['index', 'tag', '--labels', *LABELS, *index, '--device', 'cpu', '--top-k', 2]
    command(*tag, '--output', tmp_path / 'tags.jsonl')
    for number in (1, 2, 3):
        assert command(*tag, '--output', tmp_path / 'tags.jsonl', '--shard', f'{number}/3')[0] == 0
    parts = sorted(tmp_path.glob('tags-*-of-00003.jsonl'))
    whole = (tmp_path / 'tags.jsonl').read_text()
    assert len(parts) == 3 and ''.join(part.read_text() for part in parts) == whole
    status, _, err = command(*tag, '--output', tmp_path / 'tags.jsonl', '--shard', '1/3')
    assert status == 2 and 'tags-00001-of-00003.jsonl exists' in err


def test_engines_that_cannot_be(command, filled, tmp_path):
    add = ['index', 'add', filled / 'videos', '--index', filled / 'index']
    for arguments, words in [
        ([*add, '--address', 'auto'], 'add --engine ray'),
        ([*add, '--worker-gpus', 1], 'add --engine ray'),
        ([*add, '--shard', '0/2'], 'give i/n'),
        ([*add, '--shard', '1/2', '--engine', 'ray'], 'leave it out'),
        ([*add, '--engine', 'spark'], 'invalid choice'),
        ([*add, '--engine', 'ray', '--worker-cpus', 0], 'above 0'),
        (['index', 'tag', '--labels', 'a', '--shard', '1/2', *add[3:]], 'needs --output'),
        (['index', 'merge', '--index', tmp_path], 'no video index'),
    ]:
        status, out, err = command(*arguments)
        assert (status, out) == (2, '') and words in err, err


def test_without_ray_the_mend_is_told(command, filled, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    for name in ('add', 'tag'):
        more = [filled / 'videos'] if name == 'add' else ['--labels', 'a']
        status, _, err = command(
            'index', name, *more, '--index', filled / 'index', '--engine', 'ray'
        )
        assert status == 2 and 'ovmlv[ray]' in err and err.count('\n') == 1
