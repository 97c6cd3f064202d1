"""Kinetics: invented rows in the official formats, and the real rows where they are at hand."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest

from ovmlv.errors import ConfigError, DataError
from tests.test_datasets.reading import build, samples, short, write

K400 = [
    'label,youtube_id,time_start,time_end,split,is_cc',
    '"juggling pears (in game)",-0a_b-CdE1E,7,17,val,0',
    'yodeling,00000000123,417,427,val,1',
    'yodeling,00000000123,3,13,val,0',
]


@pytest.fixture
def root(tmp_path):
    write(tmp_path / 'k400.csv', *K400)
    write(tmp_path / 'classes.txt', 'juggling Pears (in game)', 'juggling pears (off)', 'yodeling')
    return tmp_path


def test_csv_with_and_without_is_cc(root):
    dataset = build('KineticsDataset', root, ann_file='k400.csv')
    assert dataset.metainfo['classes'] == ['juggling pears (in game)', 'yodeling']
    assert short(dataset) == [
        ('-0a_b-CdE1E_000007_000017.mp4', 'juggling pears (in game)'),
        ('00000000123_000417_000427.mp4', 'yodeling'),
        ('00000000123_000003_000013.mp4', 'yodeling'),  # a second clip of the same video
    ]
    first = samples(dataset)[0]
    assert first['youtube_id'] == '-0a_b-CdE1E' and first['time'] == (7.0, 17.0)
    assert first['label'].tolist() == [1, 0]
    write(
        root / 'k600.csv',
        'label,youtube_id,time_start,time_end,split',
        'juggling pears (off),aaaaaaaaaaa,0,10,val',
        'juggling pears (in game),bbbbbbbbbbb,5,15,val',
    )
    dataset = build('KineticsDataset', root, ann_file='k600.csv', class_file='classes.txt')
    # The class file writes it with a capital: the same class, in the spelling of the class file.
    assert [s['labels'] for s in samples(dataset)] == [
        ['juggling pears (off)'],
        ['juggling Pears (in game)'],
    ]
    assert len(dataset.metainfo['classes']) == 3


def test_layouts(root):
    dataset = build(
        'KineticsDataset', root, ann_file='k400.csv', file_format='{split}/{label_}/{clip}.mkv'
    )
    assert samples(dataset)[0]['path'] == (
        'val/juggling_pears_(in_game)/-0a_b-CdE1E_000007_000017.mkv'
    )


def test_test_file_has_no_labels(root):
    write(root / 'test.csv', 'youtube_id,time_start,time_end,split', '--zZzZzZzZ-,17,27,test')
    dataset = build('KineticsDataset', root, ann_file='test.csv', class_file='classes.txt')
    assert samples(dataset)[0]['label'].tolist() == [-1, -1, -1]
    with pytest.raises(DataError, match="no column 'label'"):
        build('KineticsDataset', root, ann_file='test.csv')


def test_list_files(root):
    lines = ['val/-x_000001_000011.mp4 2', 'val/a b_000001_000011.mp4 0']
    write(root / 'list.txt', *lines, end='\r\n')
    dataset = build('KineticsDataset', root, ann_file='list.txt', class_file='classes.txt')
    assert short(dataset) == [
        ('val/-x_000001_000011.mp4', 'yodeling'),
        ('val/a b_000001_000011.mp4', 'juggling Pears (in game)'),
    ]
    assert samples(dataset)[0]['video_id'] == '-x_000001_000011'
    write(root / 'list.txt', 'a.mp4 3')
    with pytest.raises(DataError, match=r'list.txt:1: label index 3 is outside 0..2 of classes'):
        build('KineticsDataset', root, ann_file='list.txt', class_file='classes.txt')
    with pytest.raises(ConfigError, match='give class_file'):
        build('KineticsDataset', root, ann_file='list.txt')


def test_generated_labels_stand_beside_the_single_one(root):
    rows = [
        dict(video='00000000123_000417_000427.mp4', labels=['mountain', 'singing']),
        dict(video='-0a_b-CdE1E_000007_000017.mp4', labels=['fruit'], negatives=['mountain']),
    ]
    write(root / 'generated.jsonl', *map(json.dumps, rows))
    dataset = build(
        'KineticsDataset', root, ann_file='k400.csv', synthetic_labels='generated.jsonl'
    )
    assert dataset.metainfo['classes'] == [
        'juggling pears (in game)', 'yodeling', 'mountain', 'singing', 'fruit',
    ]  # fmt: skip
    assert [s['label'].tolist() for s in samples(dataset)] == [
        [1, 0, 0, -1, 1],
        [0, 1, 1, 1, -1],
        [0, 1, -1, -1, -1],  # another clip of the same video: nobody looked
    ]


def test_bad_settings_and_rows(root):
    with pytest.raises(ConfigError, match='label_style'):
        build('KineticsDataset', root, ann_file='k400.csv', label_style='x')
    with pytest.raises(ConfigError, match='classes come from class_file'):
        build('KineticsDataset', root, ann_file='k400.csv', classes=['a'])
    write(root / 'bad.csv', K400[0], 'yodeling,abc,now,10,val,0')
    with pytest.raises(DataError, match="bad.csv:2: time_start 'now'"):
        build('KineticsDataset', root, ann_file='bad.csv')
    write(root / 'bad.csv', K400[0], 'whistling,abc,0,10,val,0')
    with pytest.raises(DataError, match="bad.csv:2: class 'whistling' is not in classes.txt"):
        build('KineticsDataset', root, ann_file='bad.csv', class_file='classes.txt')


@pytest.mark.parametrize(
    ('name', 'class_file'),
    [
        ('kinetics-400_val.csv', 'label_map_k400.txt'),
        ('kinetics-400_val.csv', 'kinetics_400_labels.csv'),
        ('kinetics-600_val.csv', 'label_map_k600.txt'),
        ('kinetics-400_test.csv', 'label_map_k400.txt'),
    ],
)
def test_real_rows_agree_with_pandas(shared, name, class_file):
    folder = shared / 'kinetics'
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    text = (folder / class_file).read_text().split('\n')
    names = [n for n in text if n]
    if class_file.endswith('.csv'):
        names = [row['name'] for row in csv.DictReader(text)]
    dataset = build('KineticsDataset', folder, ann_file=name, class_file=class_file)
    assert dataset.metainfo['classes'] == names and len(dataset) == len(table) > 0
    for (_, row), sample in zip(table.iterrows(), samples(dataset), strict=True):
        start, end = row['time_start'].zfill(6), row['time_end'].zfill(6)
        assert sample['path'] == f'{row["youtube_id"]}_{start}_{end}.mp4'
        if 'label' in table:
            assert sample['labels'] == [row['label']] and not sample['unknown']
        else:
            assert not sample['labels'] and len(sample['unknown']) == 400


@pytest.mark.parametrize(
    ('name', 'class_file', 'count'),
    [
        ('k400_val_list.txt', 'kinetics_400_labels.csv', 400),
        ('ZS_split1_K600_eval.txt', 'ZS_split1_K600.csv', 160),
    ],
)
def test_real_lists_agree_with_a_regular_expression(shared, name, class_file, count):
    folder = shared / 'kinetics'
    names = {
        row['id']: row['name'] for row in csv.DictReader((folder / class_file).open(newline=''))
    }
    lines = re.findall(r'^(\S+) (\d+)\r?$', (folder / name).read_bytes().decode(), re.M)
    dataset = build('KineticsDataset', folder, ann_file=name, class_file=class_file)
    assert len(dataset.metainfo['classes']) == count
    assert short(dataset) == [(path, names[i]) for path, i in lines] and len(lines) == 200
    np.testing.assert_allclose(np.nansum(dataset.metainfo['label_prior']), 1)
