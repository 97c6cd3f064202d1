import json

import pytest

from ovmlv.datasets import MultilabelVideoDataset
from ovmlv.datasets.synthetic_labels import spelling_key
from ovmlv.errors import ConfigError, DataError

SPLIT = dict(seen=['a dog', 'running', 'red'], unseen=['a cat'], novel=['feline'])
ROWS = [
    dict(video='0.mp4', labels=['a dog', 'running', 'a cat']),
    dict(video='1.mp4', labels=['red']),
    dict(video='2.mp4', labels=['running'], unknown=['a dog']),
    dict(video='3.mp4', labels=['a dog'], negatives=['red']),
]
OF_LABELS = {
    'a dog': ['pet', 'Animals', 'a feline', 'Running'],
    'running': ['motion', 'pet'],
    'red': ['animal'],
    'a cat': ['whiskers'],  # of a label that is held out
}
OF_VIDEOS = [
    dict(video='0.mp4', labels=['pet', 'cat']),
    dict(video='1.mp4', labels=['motion'], negatives=['pet']),
]


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / 'train.jsonl').write_text('\n'.join(map(json.dumps, ROWS)))
    (tmp_path / 'split.json').write_text(json.dumps(SPLIT))
    (tmp_path / 'of_labels.json').write_text(json.dumps(OF_LABELS))
    (tmp_path / 'of_videos.jsonl').write_text('\n'.join(map(json.dumps, OF_VIDEOS)))

    def build(synthetic, **kwargs):
        return MultilabelVideoDataset(
            'train.jsonl',
            data_root=str(tmp_path),
            label_split='split.json',
            synthetic_labels=synthetic,
            **{'label_set': 'seen', **kwargs},
        )

    return build


def targets(dataset):
    """Video -> label -> target, of the generated labels."""
    classes = dataset.metainfo['classes']
    rows = [dataset.get_data_info(i)['label'].tolist() for i in range(len(dataset))]
    return [dict(list(zip(classes, row))[3:]) for row in rows]


def test_of_labels_unknown_elsewhere(dataset):
    data = dataset('of_labels.json')
    # "a feline" is held out, "Running" a label of training, "whiskers" of a held-out label.
    assert data.metainfo['classes'] == [*SPLIT['seen'], 'pet', 'Animals', 'motion']
    assert data.metainfo['class_attributes']['split'] == ['seen'] * 3 + ['synthetic'] * 3
    assert targets(data) == [
        {'pet': 1, 'Animals': 1, 'motion': 1},
        {'pet': -1, 'Animals': 1, 'motion': -1},
        {'pet': 1, 'Animals': -1, 'motion': 1},
        {'pet': 1, 'Animals': 1, 'motion': -1},
    ]


def test_of_labels_negative_where_all_sources_are(dataset):
    assert targets(dataset(dict(file='of_labels.json', missing='negative'))) == [
        {'pet': 1, 'Animals': 1, 'motion': 1},
        {'pet': 0, 'Animals': 1, 'motion': 0},
        {'pet': 1, 'Animals': -1, 'motion': 1},  # nobody looked for a dog
        {'pet': 1, 'Animals': 1, 'motion': -1},  # nobody looked for running
    ]


def test_of_videos(dataset):
    assert targets(dataset('of_videos.jsonl')) == [
        {'pet': 1, 'motion': -1}, {'pet': 0, 'motion': 1}, *[{'pet': -1, 'motion': -1}] * 2,
    ]  # fmt: skip
    assert targets(dataset(dict(file='of_videos.jsonl', missing='negative'))) == [
        {'pet': 1, 'motion': 0}, {'pet': 0, 'motion': 1}, *[{'pet': -1, 'motion': -1}] * 2,
    ]  # fmt: skip


def test_given_labels_stay_as_they_are(dataset):
    plain, more = dataset(None), dataset(dict(file='of_labels.json', missing='negative'))
    for i in range(len(plain)):
        before, after = (d.get_data_info(i)['label'] for d in (plain, more))
        assert after[: len(before)].tolist() == before.tolist()
    assert more.metainfo['label_prior'][:3] == plain.metainfo['label_prior']
    assert more.metainfo['label_prior'][3:] == [0.75, 1.0, 2 / 3]


def test_rare_labels_are_left_out(dataset):
    data = dataset(dict(file='of_labels.json', min_videos=3))
    assert data.metainfo['classes'][3:] == ['pet', 'Animals']


def test_all_labels_trained_on(dataset):
    """With every label a column, none is held out, and still none is there twice."""
    data = dataset('of_labels.json', label_set='all')
    assert data.metainfo['classes'][5:] == ['pet', 'Animals', 'motion', 'whiskers']


def test_mistakes(dataset, tmp_path):
    (tmp_path / 'none.json').write_text('{"a dog": ["feline"]}')
    (tmp_path / 'bad.json').write_text('{"a dog": "feline"}')
    for source, error, message in [
        (dict(file='of_labels.json', missing='no'), ConfigError, 'missing="unknown" or "negative"'),
        (dict(file='of_labels.json', mising='no'), ConfigError, 'mising'),
        ('no.json', DataError, 'no.json not found'),
        ('none.json', DataError, 'no label is left of it .*1'),
        ('bad.json', DataError, "'a dog' is 'feline'; give a list"),
    ]:
        with pytest.raises(error, match=message):
            dataset(source)


@pytest.mark.parametrize(
    ('one', 'other', 'same'),
    [
        ('The Red-Circles ', 'a red circle', True),
        ('glass', 'glas', False),
        ('bus', 'bu', False),
        ('dogs', 'dog', True),
        ('running', 'run', False),
    ],
)
def test_spelling_key(one, other, same):
    assert (spelling_key(one) == spelling_key(other)) is same
