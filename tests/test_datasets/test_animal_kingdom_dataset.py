"""Animal Kingdom: invented workbooks in the official format, and the real ones."""

import ast
import csv

import pytest

from ovmlv.datasets.formats.xlsx import read_sheet
from ovmlv.errors import ConfigError, DataError
from tests.test_datasets.reading import build, samples, short, write
from tests.test_datasets.test_formats.workbooks import write_book

METADATA = {
    'AR': [
        ['S/N', 'video_id', 'type', 'labels', 'list_animal_action'],
        [1, 'AAACX07E', 'train', '2,0', "[('Blue Crane', 'Eating'), ('Crane, \"b\"', 'Gliding')]"],
        [2, '07E49', 'test', 1, "[('Snake & co', 'Moving')]"],  # a number, not a text
        [3, 'AABKMGHE', 'train', '1', "[('Snake', 'Moving')]"],
    ],
    'Action': [
        ['Label', 'Category', 'Action', 'Description'],
        [2, 'Food', 'Eating', ''],
        [0, 'Movement', 'Gliding in air', None],
        [None, 'Movement', 'Moving', 'All else.'],  # a formula that failed
    ],
}  # fmt: skip
ACTIONS = {
    'AR_count': [
        ['S/N', 'action_category', 'action', 'index', 'segment', 'count'],
        [1, 'Food', 'Eating ', 0, 'middle', 50],  # other ids than those of the sheet above
        [2, 'Movement', 'Gliding In Air', 1.0, 'tail', 4],
        [3, 'Movement', 'Moving', 2, 'head', 900],
    ]
}


@pytest.fixture(params=[True, False], ids=['shared texts', 'inline texts'])
def root(tmp_path, request):
    write_book(tmp_path / 'AR_metadata.xlsx', METADATA, request.param)
    write_book(tmp_path / 'df_action.xlsx', ACTIONS, request.param)
    return tmp_path


def test_workbook(root):
    dataset = build('AnimalKingdomDataset', root)
    assert dataset.metainfo['classes'] == ['gliding in air', 'moving', 'eating']  # by id
    assert dataset.metainfo['class_attributes'] == dict(category=['Movement', 'Movement', 'Food'])
    assert short(dataset) == [
        ('AAACX07E.mp4', 'gliding in air', 'eating'),
        ('AABKMGHE.mp4', 'moving'),
    ]
    pairs = ast.literal_eval(samples(dataset)[0]['animal_actions'])
    assert pairs[1] == ('Crane, "b"', 'Gliding')
    assert short(build('AnimalKingdomDataset', root, subset='test')) == [('07E49.mp4', 'moving')]
    assert len(build('AnimalKingdomDataset', root, subset='all')) == 3


def test_frequencies_are_found_by_name(root):
    count = build('AnimalKingdomDataset', root, frequency_file='df_action.xlsx')
    assert short(count) == short(build('AnimalKingdomDataset', root))
    assert count.metainfo['class_attributes']['frequency'] == ['tail', 'head', 'middle']
    kept = build(
        'AnimalKingdomDataset', root, class_file='AR_metadata.xlsx', label_style='official'
    )
    assert kept.metainfo['classes'][0] == 'Gliding in air'
    # Its ids are not those of the labels: it is no class file.
    with pytest.raises(DataError, match="no sheet 'Action' among .'AR_count'."):
        build('AnimalKingdomDataset', root, class_file='df_action.xlsx')


def test_csv_and_frame_lists(root):
    write(root / 'names.txt', 'Gliding in air', 'Moving', 'Eating')
    rows = [
        ','.join(f'"{v}"' if ',' in str(v) else str(v) for v in row[:4]) for row in METADATA['AR']
    ]
    write(root / 'AR.csv', *rows)
    dataset = build('AnimalKingdomDataset', root, ann_file='AR.csv', class_file='names.txt')
    assert short(dataset) == short(build('AnimalKingdomDataset', root))
    write(
        root / 'train.csv',
        'original_vido_id video_id frame_id path labels',
        'AAACX07E 0 0 AAACX07E/000001.jpg "2,0"',
        'AAACX07E 0 1 AAACX07E/000002.jpg "2,0"',
        '07E49 1 0 07E49/000001.jpg "1"',
        'NONE 2 0 NONE/000001.jpg """"',
    )
    frames = build('AnimalKingdomDataset', root, ann_file='train.csv', class_file='names.txt')
    assert short(frames) == [
        ('AAACX07E.mp4', 'gliding in air', 'eating'),
        ('07E49.mp4', 'moving'),
        ('NONE.mp4',),
    ]


def test_what_cannot_be(root):
    with pytest.raises(ConfigError, match="subset='val'"):
        build('AnimalKingdomDataset', root, subset='val')
    write(root / 'AR.csv', 'S/N,video_id,type,labels', '1,A,train,"2,x"')
    with pytest.raises(ConfigError, match='give class_file'):
        build('AnimalKingdomDataset', root, ann_file='AR.csv')
    kwargs = dict(ann_file='AR.csv', class_file='AR_metadata.xlsx')
    with pytest.raises(DataError, match="AR.csv:2: labels '2,x' are not ids"):
        build('AnimalKingdomDataset', root, **kwargs)
    write(root / 'AR.csv', 'S/N,video_id,type,labels', '1,A,train,3')
    with pytest.raises(DataError, match='label index 3 is outside 0..2'):
        build('AnimalKingdomDataset', root, **kwargs)
    header, *rows = METADATA['Action']
    write_book(root / 'odd.xlsx', {'Action': [header, rows[0], *rows[2:], *rows[2:]]}, True)
    with pytest.raises(DataError, match='the ids of the sheet Action do not count'):
        build('AnimalKingdomDataset', root, class_file='odd.xlsx')
    with pytest.raises(DataError, match="no sheet 'AR' among"):
        read_sheet(str(root / 'odd.xlsx'), 'AR')
    write(root / 'text.xlsx', 'a')
    with pytest.raises(DataError, match='text.xlsx: no valid workbook'):
        read_sheet(str(root / 'text.xlsx'))


@pytest.mark.parametrize('subset', ['train', 'all'])  # the excerpt has no test rows
def test_real_workbook_agrees_with_csv(shared, subset):
    folder = shared / 'animal_kingdom'
    table = list(csv.DictReader((folder / 'AR_metadata.AR.csv').open(newline='')))
    rows = [row for row in table if subset in ('all', row['type'])]
    dataset = build('AnimalKingdomDataset', folder, subset=subset, frequency_file='df_action.xlsx')
    classes = dataset.metainfo['classes']
    assert len(classes) == 140 and classes[139] == 'yawning'
    for row, sample in zip(rows, samples(dataset), strict=True):
        assert sample['path'] == f'{row["video_id"]}.mp4'
        assert sample['labels'] == [classes[i] for i in sorted(map(int, row['labels'].split(',')))]
        assert sample['animal_actions'] == row['list_animal_action']
    frequency = dataset.metainfo['class_attributes']['frequency']
    assert [frequency.count(v) for v in ('head', 'middle', 'tail')] == [17, 29, 94]


def test_real_ids_mean_what_the_rows_say(shared):
    """The sheet's ids agree with the names in the rows, those of df_action.xlsx do not."""
    folder = shared / 'animal_kingdom'
    dataset = build('AnimalKingdomDataset', folder, subset='all')
    classes = dataset.metainfo['classes']
    other = {
        int(row['index']): row['action'] for _, row in read_sheet(str(folder / 'df_action.xlsx'))
    }
    differ = [i for i, name in enumerate(classes) if other[i].strip().lower() != name]
    assert differ == [49, 50, 81, 82, 83, 84]
    agree = 0
    for sample in samples(dataset):
        text = sample['animal_actions'].lower()
        for i in differ:
            if classes[i] in sample['labels']:
                assert classes[i] in text and other[i].lower() not in text
                agree += 1
    assert agree == 2
