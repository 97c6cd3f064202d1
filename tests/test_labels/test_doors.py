"""The same lists of labels through every door: one answer, wherever labels come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ovmlv.apis.label_source import read_labels
from ovmlv.datasets.annotation import VideoAnnotation
from ovmlv.datasets.formats.annotation_files import read_annotation_file
from ovmlv.errors import OvmlvError
from ovmlv.label_bank.bank import LabelBank
from ovmlv.labels import (
    LabelVocabulary,
    check_labels,
    load_label_attributes,
    load_labels,
    read_reference_vocabulary,
    unique_labels,
)
from ovmlv.models.recognizers.vocabulary import Vocabulary

CAFE = 'caf\u00e9'

# Lists that can be used, and what they are.
GOOD = {
    'spaces': ([' a dog\t', 'a cat '], ['a dog', 'a cat']),
    'byte order mark': (['\ufeffa dog', 'a cat'], ['a dog', 'a cat']),
    'case': (['Dog', 'dog'], ['Dog', 'dog']),
    'composed letters': (['cafe\u0301', 'bar'], [CAFE, 'bar']),
    'emoji': (['\U0001f468\u200d\U0001f469\u200d\U0001f467', '\u2764\ufe0f'],) * 2,
    'long': (['x' * 300, 'y'], ['x' * 300, 'y']),
    'zero-width space': (['dog\u200b', '\u2060cat'], ['dog', 'cat']),
    'other writings': (['\u72ac', '\u0643\u0644\u0628', 'ネコ'],) * 2,
    'brackets': (['[something] falls', '{x}'], ['[something] falls', '{x}']),
}
# Lists that cannot.
BAD = {
    'twice': ['dog', 'cat', 'dog'],
    'twice after stripping': ['dog', 'dog '],
    'twice after composing': [CAFE, 'cafe\u0301'],
    'twice with a mark': ['\ufeffdog', 'dog'],
    'empty': ['dog', ''],
    'blank': ['dog', ' \t'],
    'invisible': ['dog', '\u200b\ufeff'],
    'line separator': ['dog', 'a\u2028b'],
    'paragraph separator': ['dog', 'a\u2029b'],
    'next line': ['dog', 'a\x85b'],
    'vertical tab': ['dog', 'a\x0bb'],
    'line feed': ['dog', 'a\nb'],
    'tab': ['dog', 'a\tb'],
    'null': ['dog', 'a\0b'],
    'escape': ['dog', '\x1b[31mred'],
    'half a character': ['dog', '\ud83d'],
    'byte of Latin-1': ['dog', 'caf\udce9'],
    'number': ['dog', 3],
    'none': ['dog', None],
    'bytes': ['dog', b'cat'],
    'truth': ['dog', True],
    'list': ['dog', ['cat']],
}

Door = Callable[[list, Path], Any]


def text_file(labels: list, folder: Path) -> str:
    file = folder / 'labels.txt'
    file.write_bytes('\r\n'.join(labels).encode('utf-8', 'surrogateescape'))
    return str(file)


def json_file(labels: list, folder: Path, name: str = 'labels.json') -> str:
    (folder / name).write_text(json.dumps(labels), encoding='utf-8')
    return str(folder / name)


def csv_file(labels: list, folder: Path) -> str:
    rows = ['id,label', *(f'{i},"{v}"' for i, v in enumerate(labels))]
    (folder / 'labels.csv').write_text('\n'.join(rows), encoding='utf-8-sig')
    return str(folder / 'labels.csv')


def split(labels: list, folder: Path) -> list[str]:
    return list(load_label_attributes(dict(seen=labels))['split'])


def attributes(labels: list, folder: Path) -> list[str]:
    table = {label: dict(split='seen') for label in labels}
    assert len(table) == len(labels)
    return list(load_label_attributes(table)['split'])


# Vocabularies: each label once.
LISTS: dict[str, Door] = {
    'unique_labels': lambda v, f: unique_labels(v),
    'classes': lambda v, f: load_labels(v),
    'LabelVocabulary': lambda v, f: LabelVocabulary(v).labels,
    'label_split': split,
    'Vocabulary': lambda v, f: Vocabulary.of(v).labels,
    'metainfo': lambda v, f: Vocabulary.of(dict(classes=v)).labels,
    'reference vocabulary': lambda v, f: read_reference_vocabulary(v),
    '--labels': lambda v, f: read_labels(v),
    'JSON file': lambda v, f: load_labels(json_file(v, f)),
    'JSON in a text file': lambda v, f: load_labels(json_file(v, f, 'labels.txt')),
    'JSON reference vocabulary': lambda v, f: read_reference_vocabulary(json_file(v, f)),
    'JSON --labels-file': lambda v, f: read_labels(json_file(v, f)),
}
FILES: dict[str, Door] = {
    'text file': lambda v, f: load_labels(text_file(v, f)),
    'reference vocabulary': lambda v, f: read_reference_vocabulary(text_file(v, f)),
    '--labels-file': lambda v, f: read_labels(text_file(v, f)),
    'CSV file': lambda v, f: load_labels(csv_file(v, f)),
}
# What is said of one video, or asked of a head: a label may come again.
ROWS: dict[str, Door] = {
    'check_labels': lambda v, f: check_labels(v),
    'row': lambda v, f: VideoAnnotation('a.mp4', labels=v).labels,
    'row of unknown labels': lambda v, f: VideoAnnotation('a.mp4', unknown=v).unknown,
    'JSON row': lambda v, f: (
        read_annotation_file(json_file([dict(video='a.mp4', labels=v)], f, 'rows.json'))[0].labels
    ),
}


@pytest.mark.parametrize('case', GOOD)
@pytest.mark.parametrize('door', [*LISTS, *(f'{name} of lines' for name in FILES), *ROWS])
def test_lists_that_can_be_used(door, case, tmp_path):
    """FAULTS D10: `dog` and `dog ` were two columns here, an error there, one label elsewhere."""
    given, expected = GOOD[case]
    enter = {**LISTS, **{f'{k} of lines': v for k, v in FILES.items()}, **ROWS}[door]
    assert list(enter(given, tmp_path)) == expected


def refused(enter: Door, labels: list, folder: Path) -> str:
    with pytest.raises(OvmlvError) as error:
        enter(labels, folder)
    message = str(error.value)
    assert '\n' not in message and message.isprintable()
    return message


@pytest.mark.parametrize('case', BAD)
@pytest.mark.parametrize('door', [*LISTS, 'label bank'])
def test_lists_that_cannot(door, case, tmp_path):
    enter = dict(LISTS, **{'label bank': lambda v, f: LabelBank.build(None, v)})[door]
    if 'JSON' in door and case in ('bytes', 'byte of Latin-1'):
        pytest.skip('JSON has no such value')
    message = refused(enter, BAD[case], tmp_path)
    if case.startswith('twice'):
        assert 'occurs twice' in message and '1' in message
    else:
        assert 'entry 2' in message or 'label 2' in message


@pytest.mark.parametrize('case', [k for k, v in BAD.items() if all(isinstance(x, str) for x in v)])
@pytest.mark.parametrize('door', FILES)
def test_lines_that_cannot(door, case, tmp_path):
    if case in ('empty', 'blank', 'line feed') and 'CSV' not in door:
        pytest.skip('a line end, or an empty line, which is passed over')
    if case in ('half a character', 'byte of Latin-1') and 'CSV' in door:
        pytest.skip('cannot be written')
    if case == 'half a character':
        pytest.skip('no file has it')
    message = refused(FILES[door], BAD[case], tmp_path)
    assert f'{tmp_path}/labels.' in message
    if case == 'byte of Latin-1':
        assert 'no UTF-8 text' in message


@pytest.mark.parametrize('case', [k for k in BAD if not k.startswith('twice')])
@pytest.mark.parametrize('door', ROWS)
def test_rows_that_cannot(door, case, tmp_path):
    if 'JSON' in door and case in ('bytes', 'byte of Latin-1'):
        pytest.skip('JSON has no such value')
    refused(ROWS[door], BAD[case], tmp_path)


@pytest.mark.parametrize('door', ROWS)
def test_a_row_is_a_set(door, tmp_path):
    found = list(ROWS[door](['dog', 'dog '], tmp_path))
    assert found == (['dog', 'dog'] if door == 'check_labels' else ['dog'])


@pytest.mark.parametrize('label', ['', ' ', '\u200b'])
def test_empty_labels_of_a_split(label):
    """FAULTS D11: a label_split with an empty label."""
    for source in ({label: dict(split='seen')}, dict(seen=[label])):
        with pytest.raises(OvmlvError, match='label_split.* empty label'):
            load_label_attributes(source)


@pytest.mark.parametrize(
    'source', ['dog', b'dog', None, 3, {'dog': 1}, [], ()], ids=lambda v: type(v).__name__
)
def test_what_is_no_list(source):
    for enter in (unique_labels, check_labels, Vocabulary.of):
        with pytest.raises(OvmlvError) as error:
            enter(source)
        assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('a.csv', 'dog\ncat\n', "no column 'label' among .*call the column of the labels"),
        ('a.csv', 'label,label\na,b\n', "the column 'label' stands twice"),
        ('a.csv', 'label\ndog, brown\n', 'a.csv:2: 2 fields, but the header has 1'),
        ('a.tsv', 'name\tid\nx\t1\n', "no column 'label'"),
        ('a.json', '{"dog": 1}', 'a.json: expected a list of labels, found dict'),
        ('a.json', '"dog"', 'expected a list of labels, found str'),
        ('a.json', '[' * 100_000, 'nested too deep'),
        ('a.json', '["\\ud83d"]', r"entry 1 is '\\ud83d'"),
        ('a.txt', '', 'the list of labels is empty'),
        ('a.txt', 'dog\n\ncat\n dog\n', r"label 'dog' occurs twice \(lines 1 and 4 as ' dog'\)"),
    ],
)
def test_files_that_are_refused(tmp_path, name, text, words):
    """FAULTS D11: `--labels-file x.csv` was read as text."""
    (tmp_path / name).write_text(text, encoding='utf-8')
    for enter in (load_labels, read_labels, read_reference_vocabulary):
        with pytest.raises(OvmlvError, match=words):
            enter(str(tmp_path / name))


def test_a_csv_file_of_labels(tmp_path):
    (tmp_path / 'a.csv').write_bytes(b'\xef\xbb\xbfid,label\r\n0,"dog, brown"\r\n1,cat\r\n')
    assert load_labels(str(tmp_path / 'a.csv')) == ['dog, brown', 'cat']
