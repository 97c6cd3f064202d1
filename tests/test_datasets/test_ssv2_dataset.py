"""Something-Something V2: invented entries in the official format, and the real lists."""

import csv
import json

import pytest

from ovmlv.errors import DataError
from tests.test_datasets.reading import build, samples, short, write

TEMPLATES = ['Folding something, then hiding it', 'Nudging something with something to the left']


@pytest.fixture
def root(tmp_path):
    # Ids are strings and not in the order of the file; no brackets.
    labels = {TEMPLATES[1]: '1', TEMPLATES[0]: '0'}
    write(tmp_path / 'labels' / 'labels.json', json.dumps(labels, indent=1))
    entries = [
        {
            'id': '74225',
            'label': 'nudging a cup with a pen to the left',
            'template': 'Nudging [something] with [something] to the left',
            'placeholders': ['a cup', 'a pen'],
        },
        {
            'id': '100',
            'label': 'folding a napkin, then hiding it',
            'template': 'Folding [something], then hiding it',
            'placeholders': ['a napkin'],
        },
    ]
    write(tmp_path / 'labels' / 'validation.json', json.dumps(entries))
    write(tmp_path / 'labels' / 'test.json', json.dumps([{'id': '7'}]))
    return tmp_path


def test_json(root):
    dataset = build('SSv2Dataset', root)
    assert dataset.metainfo['classes'] == [t.lower() for t in TEMPLATES]
    assert short(dataset) == [
        ('74225.webm', TEMPLATES[1].lower()),
        ('100.webm', TEMPLATES[0].lower()),
    ]
    first = samples(dataset)[0]
    assert first['video_id'] == '74225' and first['placeholders'] == ['a cup', 'a pen']
    kept = build('SSv2Dataset', root, label_style='official', file_format='v/{id}.mp4')
    assert short(kept)[1] == ('v/100.mp4', TEMPLATES[0])
    test = build('SSv2Dataset', root, ann_file='labels/test.json')
    assert samples(test)[0]['label'].tolist() == [-1, -1]


def test_lists_and_class_files(root):
    write(root / 'list.txt', '74225.webm 1', '100.webm 0')
    write(root / 'labels.csv', 'id,name', f'0,"{TEMPLATES[0]}"', f'1,{TEMPLATES[1]}', end='\r\n')
    for class_file in ('labels/labels.json', 'labels.csv'):
        dataset = build('SSv2Dataset', root, ann_file='list.txt', class_file=class_file)
        assert short(dataset) == short(build('SSv2Dataset', root))


def test_damaged_entries(root):
    path = root / 'labels' / 'validation.json'
    write(path, '[{"id": "1", "template": "Eating [something]"}]')
    with pytest.raises(DataError, match="entry 1: class 'Eating something' is not in labels.json"):
        build('SSv2Dataset', root)
    write(path, '["1"]')
    with pytest.raises(DataError, match='entry 1: expected '):
        build('SSv2Dataset', root)
    write(path, '[', '{]')
    with pytest.raises(DataError, match='validation.json:2: no valid JSON'):
        build('SSv2Dataset', root)


@pytest.mark.parametrize('class_file', ['labels.json', 'label_map_mmaction2.txt'])
def test_real_list(shared, class_file):
    folder = shared / 'ssv2'
    table = {int(v): k for k, v in json.loads((folder / 'labels.json').read_text()).items()}
    dataset = build(
        'SSv2Dataset', folder, ann_file='validation.txt', class_file=class_file,
        label_style='official',
    )  # fmt: skip
    assert dataset.metainfo['classes'] == [table[i] for i in range(174)]
    lines = [line.split() for line in (folder / 'validation.txt').read_text().splitlines()]
    assert short(dataset) == [(path, table[int(i)]) for path, i in lines] and len(lines) == 300


def test_real_base_and_novel_classes_partition_the_174(shared):
    folder = shared / 'ssv2'
    parts = [
        {row['name'] for row in csv.DictReader((folder / f'ssv2_174_{part}_labels.csv').open())}
        for part in ('base', 'novel')
    ]
    dataset = build(
        'SSv2Dataset', folder, ann_file='validation.txt', class_file='labels.json',
        label_style='official',
        label_split=dict(base=sorted(parts[0]), novel=sorted(parts[1])), label_set='novel',
    )  # fmt: skip
    assert set(dataset.metainfo['classes']) == parts[1] and len(parts[1]) == 87
