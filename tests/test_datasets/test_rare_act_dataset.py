"""RareAct: invented rows in the official format, and the real ones."""

import csv
from collections import defaultdict

import pytest

from ovmlv.errors import ConfigError, DataError
from tests.test_datasets.reading import build, samples, write

HEADER = 'id,video_id,start,end,class_id,verb,noun,annotation'
ROWS = [
    '0,-a_B,50,60,2,iron,apple,0',
    '1,-a_B,50,60,0,fry,hat,1',
    '2,0000,20,30,1,fry,apple,2',
    '3,0000,20,30,2,iron,apple,3',
    '4,0000,0,10,2,iron,apple,4',
    '5,-a_B,50,60,2,iron,apple,1',  # rated again
    '6,0000,30,40,1,fry,apple,0',
]


@pytest.fixture
def root(tmp_path):
    write(tmp_path / 'rareact.csv', HEADER, *ROWS)
    return tmp_path


def test_ratings_of_actions(root):
    dataset = build('RareActDataset', root)
    assert dataset.metainfo['classes'] == ['fry hat', 'fry apple', 'iron apple']  # by class_id
    found = [(s['video_id'], s['segment'], s['label'].tolist()) for s in samples(dataset)]
    assert found == [
        # Positive for two: negative for the third. A positive rating wins over a negative one.
        ('-a_B', (50.0, 60.0), [1, 0, 1]),
        ('0000', (20.0, 30.0), [-1, 0, 0]),  # hard negatives; nobody rated "fry hat"
        ('0000', (0.0, 10.0), [-1, -1, 0]),
        ('0000', (30.0, 40.0), [-1, 0, -1]),
    ]
    assert [s['rows'] for s in samples(dataset)] == [['0', '1', '5'], ['2', '3'], ['4'], ['6']]
    unknown = build('RareActDataset', root, others='unknown')
    assert samples(unknown)[0]['label'].tolist() == [1, -1, 1]


def test_ratings_of_verbs_and_nouns(root):
    dataset = build('RareActDataset', root, axes=['verb', 'noun'])
    assert dataset.metainfo['classes'] == ['fry', 'iron', 'apple', 'hat']
    assert dataset.metainfo['class_attributes'] == dict(kind=['verb', 'verb', 'noun', 'noun'])
    assert [s['label'].tolist() for s in samples(dataset)] == [
        [1, 1, 1, 1],
        [1, 0, 1, -1],  # 2: the verb alone, so no apple; 3: the noun alone: a positive wins
        [-1, 1, 1, -1],  # 4: both, without each other
        [0, -1, 0, -1],
    ]


def test_files_of_any_suffix(root):
    (root / 'videos').mkdir()
    (root / 'videos' / '-a_B.webm').touch()
    dataset = build('RareActDataset', root, data_prefix=dict(video='videos'), units='video')
    assert [s['path'] for s in samples(dataset)] == ['-a_B.webm', '0000.mp4']


@pytest.mark.parametrize(
    ('row', 'words'),
    [
        ('9,x,0,10,1,fry,apple,5', "csv:2: annotation '5' is not 0, 1, 2, 3 or 4"),
        ('9,x,a,10,1,fry,apple,1', "csv:2: start 'a' is not a number"),
        ('9,x,0,10,one,fry,apple,1', "csv:2: class_id 'one' is no whole number"),
    ],
)
def test_damaged_rows(root, row, words):
    write(root / 'bad.csv', HEADER, row)
    with pytest.raises(DataError, match=words):
        build('RareActDataset', root, ann_file='bad.csv')


def test_what_cannot_be(root):
    write(root / 'bad.csv', HEADER, ROWS[0], '9,x,0,10,2,fry,hat,1')
    with pytest.raises(DataError, match="csv:3: class_id 2 is 'fry hat' here and 'iron apple'"):
        build('RareActDataset', root, ann_file='bad.csv')
    with pytest.raises(ConfigError, match="others='x'"):
        build('RareActDataset', root, others='x')


def test_real_rows_agree_with_csv(shared):
    rows = list(csv.DictReader((shared / 'rareact' / 'rareact.csv').open(newline='')))
    assert len(rows) == 2400
    dataset = build('RareActDataset', shared / 'rareact')
    names = {int(r['class_id']): f'{r["verb"]} {r["noun"]}' for r in rows}
    classes = dataset.metainfo['classes']
    assert classes == [names[i] for i in sorted(names)]
    rated = defaultdict(lambda: defaultdict(set))
    for r in rows:
        rated[r['video_id'], float(r['start']), float(r['end'])][f'{r["verb"]} {r["noun"]}'].add(
            r['annotation']
        )
    found = samples(dataset)
    assert len(found) == len(rated)
    assert sorted(i for s in found for i in s['rows']) == sorted(r['id'] for r in rows)
    for s in found:
        ratings = rated[(s['video_id'], *s['segment'])]
        sure = any('1' in codes for codes in ratings.values())
        for name, value in zip(classes, s['label'], strict=True):
            codes = ratings.get(name)
            expected = (0 if sure else -1) if codes is None else int('1' in codes)
            assert value == expected
    assert sum((s['label'] == 1).sum() for s in found) == sum(
        '1' in codes for ratings in rated.values() for codes in ratings.values()
    )
