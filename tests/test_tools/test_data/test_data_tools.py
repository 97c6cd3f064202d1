"""The tools of tools/data and browse_dataset.py on a small data set of real files."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovmlv.curation.splits import redraw
from ovmlv.labels import load_label_attributes
from ovmlv.utils.error_door import run_tool
from tests.test_datasets import odd_videos as odd

CONFIG = """
default_scope = 'ovmlv'
model = dict(type='OpenVocabRecognizer', reference_vocabulary=['a trombone'])
pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
common = dict(
    type='MultilabelVideoDataset', data_root={root!r}, label_split='split.json', pipeline=pipeline
)
train_dataloader = dict(dataset=dict(**common, ann_file='train.csv', label_set='seen'))
val_dataloader = dict(dataset=dict(**common, ann_file='test.csv', test_mode=True))
test_dataloader = val_dataloader
"""
SPLIT = dict(
    seen=['a dog', 'running', 'a cat', 'jumping', 'a piano', 'walking'],
    unseen=['runs', 'trombones'],
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for name, count in (('a', 12), ('b', 10), ('short', 3)):
        odd.write_video(root / f'{name}.mp4', count, size=(32, 64))
    odd.truncate(odd.write_noise(root / 'cut.mp4'))
    (root / 'train.csv').write_text(
        'video,labels,start,end\na.mp4,a dog;running,0,1\nshort.mp4,a cat,,\n'
        'cut.mp4,jumping;a dog,,\nb.mp4,a dog,0.5,1.8\n'
    )
    (root / 'test.csv').write_text('video,labels\nb.mp4,runs\nnone.mp4,a dog\n')
    (root / 'split.json').write_text(json.dumps(SPLIT))
    (root / 'config.py').write_text(CONFIG.format(root=str(root)))
    return root


def load(repository, path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, repository / 'tools' / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def run(repository):
    """Run a tool in this process; its exit status."""

    def call(path, *arguments):
        tool = load(repository, path)
        return run_tool(tool.main, tool.parse_args([str(a) for a in arguments]))

    return call


def test_check_dataset(run, data, tmp_path, capsys):
    assert run('data/check_dataset.py', data / 'config.py', '--out', tmp_path) == 1
    report = json.loads((tmp_path / 'report.json').read_text())
    problems = {kind: [Path(p).name for p, _ in rows] for kind, rows in report['problems'].items()}
    problems.pop('damaged', None)  # where the cut went through a frame
    assert problems == {
        'missing': ['none.mp4'],
        'truncated': ['cut.mp4'],
        'too short': ['short.mp4'],
    }
    assert [(r['split'], r['end']) for r in report['past_end']] == [('train', 1.8)]
    assert report['shared_ids'] == {'b.mp4': ['train', 'val']}
    assert list(report['splits']) == ['train', 'val']  # test is the same as val
    assert report['splits']['train']['positives']['a dog'] == 3
    assert 'piano' in report['splits']['train']['without_positives'][0]
    printed = capsys.readouterr()
    assert 'none.mp4: there is no such file' in printed.out and '5 of 5 videos' in printed.err
    assert (tmp_path / 'report.txt').is_file()


def test_check_dataset_of_a_folder(run, data, tmp_path, capsys):
    folder = tmp_path / 'videos'
    folder.mkdir()
    (folder / 'a.mp4').symlink_to(data / 'a.mp4')
    assert run('data/check_dataset.py', folder, '--out', tmp_path / 'out', '--quick') == 0
    assert '1 videos: 1 fine' in capsys.readouterr().out
    (tmp_path / 'empty').mkdir()
    assert run('data/check_dataset.py', tmp_path / 'empty', '--out', tmp_path) == 2


def test_make_split(run, data, tmp_path, capsys):
    out = tmp_path / 'new' / 'split.json'
    arguments = ['data/make_split.py', data / 'config.py', '--out', out, '--seed', 3]
    assert run(*arguments) == 0
    made = json.loads(out.read_text())
    meta = made.pop('_meta')
    assert (meta['version'], meta['seed'], meta['unseen_share']) == (1, 3, 0.25)
    assert meta['source'] == 'MultilabelVideoDataset train.csv' and len(meta['sha256'][0]) == 64
    assert sorted(made['seen'] + made['unseen']) == sorted(SPLIT['seen'] + SPLIT['unseen'])
    assert ('running' in made['unseen']) == ('runs' in made['unseen'])
    split = load_label_attributes(str(out))['split']
    assert {v: side for side in made for v in made[side]} == split
    first = out.read_bytes()
    assert run(*arguments) == 2 and 'give --force' in capsys.readouterr().err
    assert run(*arguments, '--force') == 0 and out.read_bytes() == first
    counts = tmp_path / 'counts.json'
    counts.write_text(json.dumps({f'label{i}x': i for i in range(8)}))
    assert run('data/make_split.py', counts, '--out', tmp_path / 'b.json') == 0
    assert len(json.loads((tmp_path / 'b.json').read_text())['unseen']) == 2
    counts.write_text(json.dumps(dict(verb={f'v{i}x': i for i in range(4)}, noun=dict(n1=1, n2=3))))
    out = tmp_path / 'grouped.json'
    arguments = ['data/make_split.py', counts, '--out', out, '--unseen', 0.5, '--note', 'invented']
    assert run(*arguments) == 0
    made = json.loads(out.read_text())
    assert sorted(v[0] for v in made['unseen']) == ['n', 'v', 'v']
    assert made['_meta']['note'] == 'invented' and redraw(made)['unseen'] == made['unseen']
    names = tmp_path / 'names.txt'
    names.write_text('a dog\na cat\na piano\na kite\n')
    assert run('data/make_split.py', names, '--out', out, '--force') == 0
    made = json.loads(out.read_text())
    assert len(made['unseen']) == 1 and 'counts' not in made['_meta']
    counts.write_text('["a"]')
    assert run('data/make_split.py', counts, '--out', tmp_path / 'c.json') == 2


def test_check_leaks(run, data, tmp_path, capsys):
    out = tmp_path / 'leaks.json'
    assert run('data/check_leaks.py', data / 'config.py', '--out', out) == 1
    leaks = json.loads(out.read_text())['leaks']
    assert [(v['test'], v['train'], v['kind']) for v in leaks] == [
        ('runs', 'running', 'inflection'),
        ('trombones', 'a trombone', 'inflection'),  # of the reference vocabulary
    ]
    assert '2 of 2 test labels' in capsys.readouterr().out
    assert run('data/check_leaks.py', '--split', data / 'split.json') == 1
    for name, labels in (('train', 'a dog\n'), ('test', 'a horse\n')):
        (tmp_path / f'{name}.txt').write_text(labels)
    both = ['--train', tmp_path / 'train.txt', '--test', tmp_path / 'test.txt']
    assert run('data/check_leaks.py', *both) == 0
    assert run('data/check_leaks.py', *both[:2]) == 2
    assert 'give one of' in capsys.readouterr().err


def test_resize_videos(run, data, tmp_path, capsys):
    source, target = tmp_path / 'source', tmp_path / 'target'
    (source / 'sub').mkdir(parents=True)
    odd.write_video(source / 'sub' / 'a.mkv', 5, size=(32, 64))
    arguments = ['data/resize_videos.py', source, target, '--short-side', 16]
    assert run(*arguments) == 0
    made = target / 'sub' / 'a.mp4'
    stamp = made.stat().st_mtime_ns
    (source / 'cut.mp4').write_bytes((data / 'cut.mp4').read_bytes())
    assert run(*arguments) == 1  # goes on, and names what it cannot do
    printed = capsys.readouterr()
    assert '1 videos are there already, 1 to do' in printed.out and 'cut short' in printed.err
    assert made.stat().st_mtime_ns == stamp
    assert [p.name for p in target.rglob('*') if p.is_file()] == ['a.mp4']
    os.utime(source / 'sub' / 'a.mkv', (time.time() + 60,) * 2)
    (source / 'cut.mp4').unlink()
    assert run(*arguments) == 0 and made.stat().st_mtime_ns != stamp
    odd.write_video(source / 'sub' / 'a.avi', 3, 'mpeg4')
    for wrong in (
        [source, source],
        [source, source / 'x'],
        [tmp_path / 'none', target],
        arguments[1:],
    ):
        assert run('data/resize_videos.py', *wrong) == 2
    assert 'would both become' in capsys.readouterr().err


def test_browse_dataset(run, data, tmp_path, capsys):
    out = tmp_path / 'sheet.png'
    tool = 'analysis_tools/browse_dataset.py'
    assert run(tool, data / 'config.py', '--out', out, '--indices', 0, 3, '--loader', 'train') == 0
    two = np.asarray(Image.open(out))
    # The first frame of the first sample is grey of its level, the corner white.
    assert (two == odd.level(1)).all(-1).sum() > 500
    assert run(tool, data / 'config.py', '--out', out, '--loader', 'val', '--num', 9) == 0
    assert 'samples 0, 1 of 2' in capsys.readouterr().out
    assert run(tool, data / 'config.py', '--out', out, '--label', 'a cat') == 0
    assert 'samples 1 of 4' in capsys.readouterr().out
    for wrong in (['--label', 'x'], ['--indices', '9'], ['--num', '0'], ['--label', 'walking']):
        assert run(tool, data / 'config.py', '--out', out, *wrong) == 2
    assert run(tool, data / 'config.py', '--out', tmp_path / 'sheet.txt') == 2


def test_time_decoders(run, data, tmp_path, capsys):
    tool = 'analysis_tools/time_decoders.py'
    sound = odd.write_sound(tmp_path / 'sound.mp4')
    assert run(tool, data / 'a.mp4', sound, '--frames', 4, '--repeat', 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith('4 of 4 frames as pyav') and 'pyav' in lines[1]
    assert lines[2].endswith('4 of 4 frames as pyav') and 'decord' in lines[2]
    assert 'it has no video stream (audio)' in lines[4] and 'DECORDError' in lines[5]


@pytest.mark.slow
@pytest.mark.parametrize('name', ['check_dataset', 'make_split', 'resize_videos', 'check_leaks'])
def test_help(name, repository):
    command = [sys.executable, str(repository / 'tools' / 'data' / f'{name}.py'), '--help']
    assert 'usage' in subprocess.run(command, capture_output=True, text=True, check=True).stdout
