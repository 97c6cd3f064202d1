"""AVA: invented rows in the official format, and the real rows where they are at hand."""

import json
import re
from collections import defaultdict

import pytest

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

FAST = dict(serialize_data=False)  # mmengine collects garbage for a third of a second before

ROWS = [
    # Two people in a second, a box for each action (sorted as text), an action twice.
    '-x_Y,0902,0.077,0.151,0.283,0.811,12,0',
    '-x_Y,0902,0.077,0.151,0.283,0.811,7,0',
    '-x_Y,0902,0.511,0.022,0.997,0.901,12,1',
    # A gap; an action that is not evaluated.
    '-x_Y,0905,0.077,0.151,0.283,0.811,2,0',
    '-x_Y,0906,0.077,0.151,0.283,0.811,80,0',
    'Z1,0902,0.077,0.151,0.283,0.811,80,3',
    'Z1,1798,0.077,0.151,0.283,0.811,7,3',
]
PBTXT = ''.join(
    f'item {{\n  name: "{name}"\n  id: {i}\n}}\n'
    for i, name in ((7, 'jump/leap'), (12, 'stand'), (80, 'watch (a person)'))
)
FULL = ''.join(
    f'label {{\n  name: "{name}"\n  label_id: {i}\n  label_type: {kind}\n}}\n'
    for i, name, kind in (
        (2, 'crawl', 'PERSON_MOVEMENT'),
        (7, 'jump/leap', 'PERSON_MOVEMENT'),
        (12, 'stand', 'PERSON_MOVEMENT'),
        (80, 'watch (a person)', 'PERSON_INTERACTION'),
    )
)
CLASSES = ['jump or leap', 'stand', 'watch (a person)']


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'ava_val_v2.2.csv').write_bytes(('\n'.join(ROWS) + '\n').encode())
    (tmp_path / 'excluded.csv').write_text('-x_Y,0906\nZ1,0902\n')
    (tmp_path / 'list.pbtxt').write_text(PBTXT)
    (tmp_path / 'full.pbtxt').write_text(FULL)
    return tmp_path


def build(root, **kwargs):
    kwargs = dict(ann_file='ava_val_v2.2.csv', class_file='list.pbtxt') | kwargs
    dataset = DATASETS.build(dict(type='AVADataset', data_root=str(root), **FAST, **kwargs))
    return dataset, [dataset.get_data_info(i) for i in range(len(dataset))]


def test_labels_of_a_second_are_the_union(root):
    dataset, infos = build(root)
    assert dataset.metainfo['classes'] == CLASSES
    found = [(i['video_id'], i['timestamp'], i['segment'], i['label'].tolist()) for i in infos]
    assert found == [
        ('-x_Y', '0902', (900.5, 903.5), [1, 1, 0]),
        ('-x_Y', '0905', (903.5, 906.5), [0, 0, 0]),
        ('-x_Y', '0906', (904.5, 907.5), [0, 0, 1]),
        ('Z1', '0902', (900.5, 903.5), [0, 0, 1]),
        ('Z1', '1798', (1796.5, 1799.5), [1, 0, 0]),
    ]
    assert dataset.statistics == dict(rows=7, rows_of_other_actions=1)


def test_excluded_seconds_and_cut_videos(root):
    (root / 'videos').mkdir()
    (root / 'videos' / '-x_Y.mkv').touch()
    dataset, infos = build(root, exclude_file='excluded.csv', video_start=902, clip_seconds=2)
    assert [i['segment'] for i in infos] == [(0, 1), (2, 4), (895, 897)]
    assert dataset.statistics['excluded_rows'] == 2
    assert [i['filename'].rsplit('/', 1)[1] for i in infos] == ['-x_Y.mkv', '-x_Y.mkv', 'Z1.mp4']
    with pytest.raises(DataError, match='csv:1: second 0902 is before video_start=903'):
        build(root, video_start=903)


def test_class_files(root):
    dataset, infos = build(root, class_file='full.pbtxt', label_style='official')
    assert dataset.metainfo['classes'] == ['crawl', 'jump/leap', 'stand', 'watch (a person)']
    assert dataset.metainfo['class_attributes']['kind'] == ['person_movement'] * 3 + [
        'person_interaction'
    ]
    assert infos[1]['label'].tolist() == [1, 0, 0, 0]
    (root / 'map.txt').write_text('7: jump/leap\n12: stand\n80: watch (a person)\n')
    # SlowFast counts from 0: the csv's 12 is its 11.
    slowfast = {'jump/leap': 6, 'stand': 11, 'watch (a person)': 79}
    (root / 'ava.json').write_text(json.dumps(slowfast))
    expected = [i['label'].tolist() for i in build(root)[1]]
    for name in ('map.txt', 'ava.json'):
        dataset, infos = build(root, class_file=name)
        assert dataset.metainfo['classes'] == CLASSES
        assert [i['label'].tolist() for i in infos] == expected


def test_a_second_with_nobody(root):
    """As AVA-Kinetics writes it."""
    (root / 'ava_val_v2.2.csv').write_text('Z1,0902,,,,,,\n')
    assert build(root)[1][0]['label'].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ('row', 'words'),
    [
        ('Z1,0902,0.1,0.1,0.2,0.2,80', ' is not "video,second'),
        ('Z1,9x,0,0,1,1,80,3', "second '9x' is no whole number"),
        ('Z1,0902,0,0,1,1,stand,3', "action 'stand' is no whole number"),
        ('Z1,0902,0,0,1,1,24.7,3', "action '24.7' is no whole number"),
        (f'Z1,{"9" * 5000},0,0,1,1,80,3', 'is no whole number'),
    ],
)
def test_damaged_rows_are_named(root, row, words):
    (root / 'ava_val_v2.2.csv').write_text(f'{ROWS[0]}\n{row}\n')
    with pytest.raises(DataError, match=f'csv:2: .*{words}'):
        build(root)


@pytest.mark.parametrize('line', ['Z1', 'Z1,x', 'Z1;0902', 'Z1,0902,1', ',0902', 'Z1,-1'])
def test_lines_of_excluded_seconds_that_are_not_understood(root, line):
    """FAULTS D3: they were passed over."""
    (root / 'out.csv').write_text(f'Z1,0902\n{line}\n')
    with pytest.raises(DataError, match='out.csv:2: '):
        build(root, exclude_file='out.csv')


def test_seconds_are_excluded_by_their_number(root):
    (root / 'ava_val_v2.2.csv').write_text('Z1,0902,0,0,1,1,80,3\nZ1,0903,0,0,1,1,80,3\n')
    (root / 'out.csv').write_text('Z1,902\n')
    assert [i['timestamp'] for i in build(root, exclude_file='out.csv')[1]] == ['0903']


def test_bad_settings_and_class_files(root):
    with pytest.raises(ConfigError, match='clip_seconds=0'):
        build(root, clip_seconds=0)
    with pytest.raises(DataError, match='exclude file .*none.csv not found; get ava_v2.2.zip'):
        build(root, exclude_file='none.csv')
    for text, words in (
        ('item { name: "a" }', 'has no name or no id'),
        ('1: a\nb', 'list.pbtxt:2: .b. is not'),
        ('1: a\n1: b', "list.pbtxt:2: the id 1 is that of 'a' already"),
        ('', 'no list of classes'),
    ):
        (root / 'list.pbtxt').write_text(text)
        with pytest.raises(DataError, match=words):
            build(root)


@pytest.mark.parametrize(
    'classes',
    ['ava_action_list_v2.1_for_activitynet_2018.pbtxt.txt', 'label_map_mmaction2.txt', 'ava.json'],
)
def test_real_rows(shared, classes):
    folder = shared / 'ava'
    kwargs = dict(class_file=classes, label_style='official')
    dataset, infos = build(folder, **kwargs)
    names = {
        int(i): name
        for i, name in re.findall(
            r'^(\d+): (.*)$', (folder / 'label_map_mmaction2.txt').read_text(), re.MULTILINE
        )
    }
    if classes == 'ava.json':
        names = {i + 1: name for name, i in json.loads((folder / classes).read_text()).items()}
    assert len(dataset.metainfo['classes']) == len(names) == (80 if 'json' in classes else 60)
    expected = defaultdict(set)
    for line in (folder / 'ava_val_v2.2.csv').read_text().splitlines():
        video, second, *_, action, _ = line.split(',')
        expected[video, second] |= {names[int(action)]} if int(action) in names else set()
    assert [(i['video_id'], i['timestamp']) for i in infos] == list(expected)
    for info, labels in zip(infos, expected.values(), strict=True):
        columns = dataset.metainfo['classes']
        assert {columns[i] for i, y in enumerate(info['label']) if y == 1} == labels
        assert (info['label'] >= 0).all()
        assert sum(info['segment']) / 2 == int(info['timestamp'])
    seconds = {int(i['timestamp']) for i in infos}
    assert {970, 971, 1160, 1161}.isdisjoint(seconds)


def test_real_fixtures_of_mmaction2(shared):
    """Its sample has an excluded second."""
    kwargs = dict(ann_file='mmaction2_ava_sample.csv', class_file='label_map_mmaction2.txt')
    excluded = 'mmaction2_ava_excluded_timestamps_sample.csv'
    _, infos = build(shared / 'ava', **kwargs)
    _, left = build(shared / 'ava', exclude_file=excluded, **kwargs)
    gone = {tuple(line.split(',')) for line in (shared / 'ava' / excluded).read_text().split()}
    keys = [(i['video_id'], i['timestamp']) for i in infos]
    assert [(i['video_id'], i['timestamp']) for i in left] == [k for k in keys if k not in gone]
    assert len(left) < len(infos)
