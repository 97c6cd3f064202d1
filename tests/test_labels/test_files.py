"""Label lists, splits and attributes."""

import json

import pytest

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.labels import LabelVocabulary, load_label_attributes, load_labels

TABLE = {
    'a dog': dict(split='seen', kind='entity'),
    'running': dict(split='seen', kind='action'),
    'a cat': dict(split='unseen', kind='entity'),
}


def test_labels_from_list_text_and_json(tmp_path):
    (tmp_path / 'a.txt').write_bytes('﻿a dog\r\n кот \r\n\r\n'.encode())
    (tmp_path / 'a.json').write_text('["a dog", "кот"]', encoding='utf-8')
    for source in (['a dog', 'кот '], 'a.txt', 'a.json', str(tmp_path / 'a.txt')):
        assert load_labels(source, str(tmp_path)) == ['a dog', 'кот']


def test_relative_paths_are_also_taken_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / 'a.txt').write_text('x')
    monkeypatch.chdir(tmp_path)
    assert load_labels('a.txt', root='elsewhere') == ['x']
    with pytest.raises(DataError, match='elsewhere/b.txt or b.txt not found'):
        load_labels('b.txt', root='elsewhere')


def test_attributes_of_all_forms_agree(tmp_path):
    (tmp_path / 'seen.txt').write_text('a dog\nrunning\n')
    lists = dict(seen=['a dog', 'running'], unseen=['a cat'])
    (tmp_path / 'lists.json').write_text(json.dumps(lists))
    (tmp_path / 'table.json').write_text(json.dumps(TABLE))
    split = {k: v['split'] for k, v in TABLE.items()}
    for source in (lists, 'lists.json', dict(seen='seen.txt', unseen=['a cat'])):
        assert load_label_attributes(source, str(tmp_path)) == dict(split=split)
    for source in (TABLE, 'table.json'):
        found = load_label_attributes(source, str(tmp_path))
        assert found == dict(split=split, kind={k: v['kind'] for k, v in TABLE.items()})


@pytest.mark.parametrize(
    ('label_set', 'expected'),
    [
        ('all', ['a dog', 'running', 'a cat']),
        ('seen', ['a dog', 'running']),
        (['unseen', 'seen'], ['a dog', 'running', 'a cat']),
        (dict(kind='entity'), ['a dog', 'a cat']),
        (dict(split='seen', kind=['action']), ['running']),
    ],
)
def test_selection(label_set, expected):
    vocabulary = LabelVocabulary(list(TABLE), load_label_attributes(TABLE))
    assert vocabulary.select(label_set) == expected
    columns = vocabulary.attribute_columns(expected)
    assert columns['split'] == [TABLE[label]['split'] for label in expected]


def test_missing_attributes_are_other():
    attributes = dict(kind={'a dog': 'entity'})
    assert LabelVocabulary(['x', 'a dog'], attributes).attribute_columns(['x', 'a dog']) == dict(
        kind=['other', 'entity']
    )


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (['a', 'b', 'a'], "'a' occurs twice (entries 1 and 3)"),
        (['a', 'a '], "'a' occurs twice"),
        (['a', ' '], "entry 2 is ' '"),
        (['a', 3], 'entry 2 is 3'),
        ([], 'list of labels is empty'),
    ],
)
def test_bad_label_lists(labels, words):
    with pytest.raises(VocabularyError) as error:
        load_labels(labels)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ('source', 'error', 'words'),
    [
        (
            dict(seen=['a'], unseen=['b', 'a']),
            VocabularyError,
            "'a' is in both 'seen' and 'unseen'",
        ),
        ({'a': {'split': 1}}, DataError, "'split' of 'a' is 1"),
        ({'a': {'split': 'seen'}, 'unseen': ['b']}, DataError, 'not both'),
        ({}, DataError, 'expected'),
        ('none.json', DataError, 'none.json not found'),
    ],
)
def test_bad_splits(source, error, words):
    with pytest.raises(error) as caught:
        load_label_attributes(source)
    assert words in str(caught.value)


def test_split_and_classes_must_agree():
    with pytest.raises(VocabularyError, match=r"'runing' is not among .*\(nearest: 'running'\)"):
        LabelVocabulary(['running'], dict(split={'runing': 'seen'}))
    with pytest.raises(VocabularyError, match=r"1 of 2 classes are in no split \(first: 'b'\)"):
        LabelVocabulary(['a', 'b'], dict(split={'a': 'seen'}))


def test_bad_selections():
    vocabulary = LabelVocabulary(list(TABLE), load_label_attributes(TABLE))
    with pytest.raises(
        ConfigError, match=r"no label has split 'sen'; there are \['seen', 'unseen'\]"
    ):
        vocabulary.select('sen')
    with pytest.raises(ConfigError, match="needs the axis 'split'"):
        LabelVocabulary(['a']).select('seen')
    with pytest.raises(ConfigError, match='selects no label'):
        vocabulary.select(dict(split='unseen', kind='action'))


def test_bad_files(tmp_path):
    (tmp_path / 'a.json').write_text('{')
    (tmp_path / 'b.json').write_text('{"a": 1}')
    with pytest.raises(DataError, match='a.json:1: no valid JSON'):
        load_labels('a.json', str(tmp_path))
    with pytest.raises(DataError, match='expected a list'):
        load_labels('b.json', str(tmp_path))
