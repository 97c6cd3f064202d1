"""Annotations against videos and against each other."""

import json

from ovmlv.curation import check_dataset
from ovmlv.datasets import MultilabelVideoDataset
from ovmlv.registry import DATASETS


def facts(path, duration=10.0, digest='', problems=(), notes=()):
    return dict(
        path=path, duration=duration, digest=digest, problems=list(problems), notes=list(notes)
    )


def dataset(folder, name, rows, classes=('a', 'b', 'c')):
    path = folder / f'{name}.jsonl'
    path.write_text('\n'.join(json.dumps(row) for row in rows))
    return MultilabelVideoDataset(str(path), classes=list(classes))


def test_findings(tmp_path):
    train = dataset(
        tmp_path,
        'train',
        [
            dict(video='1.mp4', labels=['a'], segment=[0, 5]),
            dict(video='1.mp4', labels=['a', 'b'], segment=[8, 12.5]),
            dict(video='2.mp4', labels=['a'], segment=[0, 10.05]),  # rounding
        ],
    )
    test = dataset(tmp_path, 'test', [dict(video=f'{i}.mp4', labels=['c']) for i in (2, 3)])
    videos = {
        '1.mp4': facts('1.mp4', digest='x'),
        '2.mp4': facts('2.mp4', digest='y', notes=['turned']),
        '3.mp4': facts('3.mp4', digest='x', problems=[['damaged', '3 of 9 frames']]),
    }
    report = check_dataset(dict(train=train, test=test), videos)
    assert report.splits['train']['positives'] == dict(a=3, b=1, c=0)
    assert report.splits['train']['without_positives'] == ['c']
    assert (report.splits['train']['samples'], report.splits['train']['videos']) == (3, 2)
    assert report.past_end == [
        dict(split='train', video='1.mp4', start=8.0, end=12.5, duration=10.0)
    ]
    assert report.shared_ids == {'2.mp4': ['test', 'train']}
    assert report.same_content == report.shared_content == [['1.mp4', '3.mp4']]
    assert report.problems == {'damaged': [('3.mp4', '3 of 9 frames')]}
    assert not report.is_clean
    report.save(tmp_path / 'out')
    saved = json.loads((tmp_path / 'out' / 'report.json').read_text())
    assert saved['past_end'] == report.past_end and saved['problems']['damaged']
    text = (tmp_path / 'out' / 'report.txt').read_text()
    for line in (
        '3 videos: 2 fine, 1 with problems',
        '  3.mp4: 3 of 9 frames',
        '  train: 1.mp4 [8, 12.5] s, but the video ends at 10 s',
        '  2.mp4: test, train',
        '  1.mp4 = 3.mp4',
        'train: 3 samples of 2 videos, 3 classes with 0 to 3 positives (median 1)',
    ):
        assert line in text.splitlines()
    assert '... and 1 more' not in text and len(report.text(limit=0)) < len(text)


def test_clean(tmp_path):
    train = dataset(tmp_path, 'train', [dict(video='1.mp4', labels=['a'])])
    test = dataset(tmp_path, 'test', [dict(video='2.mp4', labels=['a'])])
    videos = {f'{i}.mp4': facts(f'{i}.mp4', digest=str(i)) for i in (1, 2)}
    report = check_dataset(dict(train=train, test=test), videos)
    assert report.is_clean and not report.same_content


def test_segments_are_those_of_the_official_file(tmp_path):
    """Charades' reader cuts segments at the stated length; the check sees them as they are."""
    (tmp_path / 'Charades_v1_classes.txt').write_text('c000 Waving\nc001 Jumping\n')
    header = (
        'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'
    )
    row = 'AB1CD,S1,Attic,5,6,Yes,x,y,z,c000 1.00 9.00;c001 0.00 3.00,6.00'
    (tmp_path / 'Charades_v1_train.csv').write_text(f'{header}\r\n{row}\r\n')
    data = DATASETS.build(dict(type='CharadesDataset', data_root=str(tmp_path)))
    path = data.get_data_info(0)['filename']
    report = check_dataset(dict(train=data), {path: facts(path, duration=8.0)})
    assert [(r['start'], r['end']) for r in report.past_end] == [(1.0, 9.0)]
