"""Charades: invented rows in the official format, and the real rows where they are at hand."""

import io

import numpy as np
import pandas as pd
import pytest

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.registry import DATASETS

HEADER = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'
CLASSES = 'c000 Waving a flag\nc001 Opening a box/crate\nc002 Someone is dancing\nc003 Jumping\n'
ROWS = [
    # Repeats, an end after the video's, order neither by time nor by class, a quoted script.
    '07E49,S1,Attic,6,7,Yes,"One, two.",box;flag,A thing; another,'
    'c002 5.00 11.40;c000 0.00 4.00;c002 1.00 2.00,10.50',
    '83654,S2,Porch,,,No,None.,,Nothing happens.,,20.00',
    # start > end; a segment past the end; a short one inside a long one.
    'AB1CD,S1,Attic,5,6,Yes,Three.,flag,Waves.,c001 9.00 3.00;c003 9.50 12.00;c000 0.00 6.00;'
    'c002 4.00 5.00;c003 5.50 7.50,9.00',
]


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'Charades_v1_train.csv').write_bytes(
        ('\r\n'.join([HEADER, *ROWS]) + '\r\n').encode()
    )
    (tmp_path / 'Charades_v1_classes.txt').write_text(CLASSES)
    return tmp_path


def build(root, **kwargs):
    return DATASETS.build(dict(type='CharadesDataset', data_root=str(root), **kwargs))


def test_rows_and_labels(root):
    dataset = build(root)
    names = ['Waving a flag', 'Opening a box/crate', 'Someone is dancing', 'Jumping']
    assert dataset.metainfo['classes'] == names
    infos = [dataset.get_data_info(i) for i in range(3)]
    assert [i['video_id'] for i in infos] == ['07E49', '83654', 'AB1CD']
    assert infos[0]['filename'] == f'{root}/Charades_v1_480/07E49.mp4'
    assert [i['label'].tolist() for i in infos] == [[1, 0, 1, 0], [0] * 4, [1, 1, 1, 1]]
    assert [i['official_unlabeled'] for i in infos] == [False, True, False]
    assert infos[0]['script'] == 'One, two.' and infos[0]['objects'] == ['box', 'flag']
    assert infos[0]['length'] == 10.5 and infos[0]['quality'] == 6 and infos[0]['verified']
    assert infos[1]['quality'] is None and infos[1]['objects'] == [] and not infos[1]['verified']
    assert dataset.statistics == dict(
        rows=3, segments=8, without_actions=1, repeated_classes=2, past_end=2, inverted=1
    )


def test_segments_are_clipped_dropped_and_overlap(root):
    dataset = build(root, units='segment')
    found = [
        (i['video_id'], i['segment'], i['label'].tolist())
        for i in map(dataset.get_data_info, range(len(dataset)))
    ]
    assert found == [
        ('07E49', (5.0, 10.5), [0, 0, 1, 0]),
        # One second of four is dancing: unknown rather than negative.
        ('07E49', (0.0, 4.0), [1, 0, -1, 0]),
        ('07E49', (1.0, 2.0), [1, 0, 1, 0]),
        ('AB1CD', (0.0, 6.0), [1, 0, -1, -1]),
        ('AB1CD', (4.0, 5.0), [1, 0, 1, 0]),
        ('AB1CD', (5.5, 7.5), [-1, 0, 0, 1]),
    ]
    assert dataset.statistics['dropped_inverted'] == 1
    assert dataset.statistics['dropped_outside'] == 1
    swapped = build(root, units='segment', inverted='swap')
    assert swapped.get_data_info(3)['segment'] == (3.0, 9.0)
    assert swapped.get_data_info(3)['label'][1] == 1


def test_label_format_and_split(root):
    dataset = build(
        root,
        lowercase=True,
        label_format='{name}!',
        label_split=dict(
            seen=['jumping!', 'waving a flag!'],
            unseen=['someone is dancing!', 'opening a box/crate!'],
        ),
        label_set='seen',
        drop_unlabeled=True,
    )
    assert dataset.metainfo['classes'] == ['waving a flag!', 'jumping!']
    assert [dataset.get_data_info(i)['label'].tolist() for i in range(2)] == [[1, 0], [1, 1]]
    assert build(root, label_format='{id}').metainfo['classes'][3] == 'c003'


def test_a_split_of_ids(root):
    """Class names may not be published, so the split of the repository has ids."""
    split = dict(seen=['c001', 'c003'], unseen=['c000', 'c002'])
    for form in ({}, dict(lowercase=True), dict(label_format='{id}')):
        names = build(root, **form).metainfo['classes']
        dataset = build(root, label_split=split, label_set='unseen', **form)
        assert dataset.metainfo['classes'] == [names[0], names[2]]
    with pytest.raises(VocabularyError, match='c009'):
        build(root, label_split=dict(seen=['c009'], unseen=['c000']))


def test_real_pipeline(root, pipeline, write_video):
    for name in ('07E49', '83654', 'AB1CD'):
        write_video(root / 'Charades_v1_480' / f'{name}.mp4')
    dataset = build(root, pipeline=pipeline, test_mode=True)
    sample = dataset[1]['data_samples']
    assert sample.official_unlabeled and sample.video_id == '83654' and not sample.broken
    assert dataset[0]['inputs'].shape == (1, 3, 4, 32, 32)


@pytest.mark.parametrize(
    ('name', 'what'),
    [
        ('Charades_v1_train.csv', 'annotation file'),
        ('Charades_v1_classes.txt', 'class file'),
        ('Charades_v1_480', 'video folder'),
    ],
)
def test_missing_files_say_where_to_get_them(root, pipeline, name, what):
    if (root / name).exists():
        (root / name).unlink()
    if name != 'Charades_v1_480':
        (root / 'Charades_v1_480').mkdir()
    with pytest.raises(DataError) as error:
        build(root, pipeline=pipeline)
    message = str(error.value)
    assert f'{what} {root / name} not found' in message and '\n' not in message
    assert 'Charades_v1_480.zip' in message and 'prior.allenai.org/projects/charades' in message


def test_an_empty_folder_names_all_that_is_missing(tmp_path, pipeline):
    with pytest.raises(DataError) as error:
        build(tmp_path, pipeline=pipeline)
    for name in ('Charades_v1_train.csv', 'Charades_v1_classes.txt', 'Charades_v1_480'):
        assert f'{tmp_path}/{name}' in str(error.value)


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('c000 0.00 4.00', 'c157 0.00 4.00', "csv:2: class 'c157' is not in"),
        ('c000 0.00 4.00', 'c000 0.00', "csv:2: action 'c000 0.00' is not"),
        ('c000 0.00 4.00', 'c000 x 4.00', "action 'c000 x 4.00': time 'x' is not a number"),
        ('c000 0.00 4.00', 'c000 -1 4.00', 'time -1 is less than 0'),
        ('83654,', '07E49,', "csv:3: id '07E49' is already in"),
        ('"One, two."', 'One, two.', 'csv:2: 12 fields, but the header has 11'),
        ('"One, two."', '"One, two.', 'no valid CSV'),
        (',20.00', ',', 'csv:3: length is empty'),
        (',20.00', ',long', "csv:3: length 'long' is not a number"),
        ('id,subject', 'id,who', "csv:1: no column 'subject'"),
    ],
)
def test_damaged_rows_are_named(root, old, new, words):
    path = root / 'Charades_v1_train.csv'
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(DataError) as error:
        build(root)
    assert words in str(error.value) and '\n' not in str(error.value)


def test_bad_settings_and_class_files(root):
    for kwargs in (dict(units='clip'), dict(inverted='keep'), dict(classes=['a'])):
        with pytest.raises(ConfigError, match=next(iter(kwargs))):
            build(root, **kwargs)
    (root / 'Charades_v1_classes.txt').write_text('c000 A\nc000 B\n')
    with pytest.raises(DataError, match='classes.txt:2: .c000 B. is not "c000 Name" with a new id'):
        build(root)


@pytest.mark.parametrize(
    'name', ['Charades_v1_train.csv', 'Charades_v1_test.csv', 'Charades_v1_train_oddrows.csv']
)
def test_real_rows_agree_with_pandas(shared, name):
    folder = shared / 'charades'
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    ids = [line.split(' ', 1)[0] for line in (folder / 'Charades_v1_classes.txt').open()]
    dataset = build(folder, ann_file=name)
    assert len(dataset) == len(table)
    assert len(dataset.metainfo['classes']) == 157
    assert dataset.metainfo['classes'][0] == 'Holding some clothes'
    counts = dict.fromkeys(('without_actions', 'repeated_classes', 'past_end', 'inverted'), 0)
    total = np.zeros(157)
    for i, row in table.iterrows():
        info = dataset.get_data_info(i)
        actions = [a.split(' ') for a in row['actions'].split(';')] if row['actions'] else []
        expected = np.isin(ids, [a[0] for a in actions]).astype(int)
        assert (info['label'] == expected).all()
        total += expected
        assert info['video_id'] == row['id']
        assert info['filename'].endswith(f'/{row["id"]}.mp4')
        assert info['official_unlabeled'] == (row['actions'] == '')
        assert info['objects'] == ([] if row['objects'] == '' else row['objects'].split(';'))
        for key in ('quality', 'relevance'):
            assert (info[key] is None) == (row[key] == '')
            assert info[key] is None or info[key] == float(row[key])
        assert (info['script'], info['scene']) == (row['script'], row['scene'])
        assert len(info['actions']) == len(actions)
        counts['without_actions'] += not actions
        counts['repeated_classes'] += len(actions) - len({a[0] for a in actions})
        counts['past_end'] += sum(float(a[2]) > float(row['length']) for a in actions)
        counts['inverted'] += sum(float(a[1]) > float(a[2]) for a in actions)
    assert {k: dataset.statistics[k] for k in counts} == counts
    np.testing.assert_allclose(dataset.metainfo['label_prior'], total / len(table))


def test_real_odd_cases(shared):
    """What SOURCES.md says of the files, as far as the excerpts show it."""
    folder = shared / 'charades'
    odd = build(folder, ann_file='Charades_v1_train_oddrows.csv')
    found = [odd.get_data_info(i) for i in range(len(odd))]
    ids = {i['video_id'] for i in found}
    assert {'83654', '05124', '07E49', '469E8'} <= ids  # pandas would read them as numbers
    assert odd.statistics['inverted'] == 4 and odd.statistics['without_actions'] > 0
    assert any(i['quality'] is None for i in found) and any(i['relevance'] is None for i in found)
    assert any(not i['objects'] for i in found)
    assert any(len(i['actions']) >= 20 for i in found)
    excess = [end - i['length'] for i in found for _, _, end in i['actions']]
    assert 1.4 < max(excess) <= 1.54
    segments = build(folder, ann_file='Charades_v1_train_oddrows.csv', units='segment')
    assert len(segments) == odd.statistics['segments'] - 4
    for i in map(segments.get_data_info, range(len(segments))):
        assert 0 <= i['segment'][0] < i['segment'][1] <= i['length']
    raw = (folder / 'Charades_v1_train.csv').read_bytes()
    assert raw.count(b'\r\n') == raw.count(b'\n') == 401
    again = pd.read_csv(io.BytesIO(raw), dtype=str)
    assert len(build(folder)) == len(again) == 400


def localize(row, ids):
    """Frame labels of a row as the official Charades_v1_localize.m finds them, in plain loops."""
    labels = np.zeros((25, len(ids)), dtype=int)
    for j in range(25):
        time = j / 25 * float(row['length'])
        for action in row['actions'].split(';') if row['actions'] else ():
            name, start, end = action.split(' ')
            if float(start) <= time <= float(end):
                labels[j, ids.index(name)] = 1
    return labels


@pytest.mark.parametrize('where', ['invented', 'Charades_v1_test.csv', 'oddrows'])
def test_localisation_labels_are_the_official_ones(root, request, where):
    name = f'Charades_v1_train{"_oddrows" if where == "oddrows" else ""}.csv'
    if where != 'invented':
        root = request.getfixturevalue('shared') / 'charades'
        name = name if where == 'oddrows' else where
    table = pd.read_csv(root / name, dtype=str, keep_default_na=False)
    ids = [line.split(' ', 1)[0] for line in (root / 'Charades_v1_classes.txt').open()]
    dataset = build(root, ann_file=name, units='point', num_points=25, serialize_data=False)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [i['video_id'] for i in infos] == [v for v in table['id'] for _ in range(25)]
    expected = np.concatenate([localize(row, ids) for _, row in table.iterrows()])
    assert (np.stack([i['label'] for i in infos]) == expected).all() and expected.any()
    # Videos without actions are ordinary negatives in this script, unlike in the other.
    assert not any('official_unlabeled' in i for i in infos)
    lengths = table['length'].astype(float)
    assert [i['time'] for i in infos[:25]] == [j / 25 * lengths[0] for j in range(25)]
