"""Generic annotation files: what is read, and how mistakes are named."""

import json

import pytest

from ovmlv.datasets.formats.annotation_files import read_annotation_file
from ovmlv.errors import DataError


def write(path, text, encoding='utf-8'):
    path.write_bytes(text.encode(encoding))
    return str(path)


def rows(path, **kwargs):
    return [
        (a.video, a.labels, a.unknown, a.negatives, a.segment)
        for a in read_annotation_file(path, **kwargs)
    ]


EXPECTED = [
    ('a b.mp4', ('a dog', 'running'), (), None, None),
    ('ü/杯, 2.mp4', ('a "big" cat',), ('running',), None, (1.5, 4.0)),
    ('c.mp4', (), (), ('a dog',), None),
]


def test_jsonl_and_json(tmp_path):
    objects = [
        dict(video='a b.mp4', labels=['a dog', 'running', 'a dog']),
        dict(video='ü/杯, 2.mp4', labels=[' a "big" cat '], unknown=['running'], segment=[1.5, 4]),
        dict(video='c.mp4', labels=[], negatives=['a dog'], segment=None),
    ]
    lines = '\r\n'.join(json.dumps(o, ensure_ascii=False) for o in objects) + '\r\n\r\n'
    assert rows(write(tmp_path / 'a.jsonl', lines, 'utf-8-sig')) == EXPECTED
    assert rows(write(tmp_path / 'a.json', json.dumps(objects))) == EXPECTED


@pytest.mark.parametrize('newline', ['\n', '\r\n'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_csv(tmp_path, newline, encoding):
    lines = [
        'video,labels,unknown,negatives,start,end,scene',
        'a b.mp4,a dog;running,,,,,kitchen',
        '"ü/杯, 2.mp4","a ""big"" cat",running,,1.5,4.0,',
        'c.mp4,,,a dog,,,',
    ]
    path = write(tmp_path / 'a.csv', newline.join(lines) + newline, encoding)
    assert rows(path) == EXPECTED
    assert read_annotation_file(path)[0].extra == dict(scene='kitchen')


def test_tsv_with_another_delimiter(tmp_path):
    path = write(tmp_path / 'a.tsv', 'video\tlabels\na, b.mp4\tx; y|z\n')
    assert rows(path, delimiter='|') == [('a, b.mp4', ('x; y', 'z'), (), None, None)]


def test_mmaction2_list_with_blanks_in_paths(tmp_path):
    path = write(tmp_path / 'a.txt', 'test.mp4 0 3\nmy video 2.mp4 1\r\nnone.mp4\n')
    found = rows(path, classes=['a', 'b', 'c', 'd'])
    assert [r[:2] for r in found] == [
        ('test.mp4', ('a', 'd')),
        ('my video 2.mp4', ('b',)),
        ('none.mp4', ()),
    ]


def test_real_mmaction2_list(shared):
    folder = shared / 'mmaction2_lists'
    path = folder / 'video_test_list_multi_label.txt'
    found = rows(str(path), classes=list('abcde'))
    expected = [line.split() for line in path.read_text().splitlines()]
    assert [[r[0], *(str('abcde'.index(v)) for v in r[1])] for r in found] == expected


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('a.jsonl', '{"video": "a", "labels": []}\n{"video": ', ':2: no valid JSON'),
        ('a.jsonl', '[1]', ':1: expected an object'),
        ('a.jsonl', '{"video": "a"}', ":1: 'labels' is missing"),
        ('a.jsonl', '{"video": "a", "label": []}', "did you mean 'label'?"),
        ('a.jsonl', '{"video": "a", "labels": [], "segmnt": [0, 1]}', "did you mean 'segment'?"),
        ('a.jsonl', '{"video": "", "labels": []}', ':1: the video path is empty'),
        ('a.jsonl', '{"video": "a", "labels": "dog"}', ":1: 'labels' is 'dog'; give a list"),
        ('a.jsonl', '{"video": "a", "labels": [3]}', 'label 3 in'),
        (
            'a.jsonl',
            '{"video": "a", "labels": [" "]}',
            "' ' in 'labels': it is an empty label",
        ),
        ('a.jsonl', '{"video": "a", "labels": ["x"], "unknown": ["x"]}', "'x' is in both"),
        ('a.jsonl', '{"video": "a", "labels": [], "segment": [3, 1]}', '[3, 1] ends before'),
        ('a.jsonl', '{"video": "a", "labels": [], "segment": [2, 2]}', '[2, 2] ends before'),
        ('a.jsonl', '{"video": "a", "labels": [], "segment": [-1, 2]}', 'starts before 0'),
        ('a.jsonl', '{"video": "a", "labels": [], "segment": [1]}', 'is not [start, end]'),
        ('a.jsonl', '{"video": "a", "labels": [], "segment": [0, Infinity]}', 'is not finite'),
        ('a.json', '{"video": "a"}', 'expected a list of objects'),
        ('a.json', '[\n1,\n', 'no valid JSON'),
        ('a.csv', 'video,labels\na.mp4,x\nb, c.mp4,y\n', ':3: 3 fields, but the header has 2'),
        ('a.csv', 'video,labels\na.mp4\n', ':2: 1 fields, but the header has 2'),
        ('a.csv', 'video,tags\na.mp4,x\n', ":1: 'labels' is missing; found"),
        ('a.csv', 'video,labels,negative\na.mp4,x,\n', "did you mean 'negatives'?"),
        ('a.csv', 'video,labels\na.mp4,x;;y\n', ':2: '),
        ('a.csv', 'video,labels,start,end\na.mp4,x,1,\n', 'needs both start and end'),
        ('a.csv', 'video,labels,start,end\na.mp4,x,1,b\n', 'is not [start, end] in seconds'),
        ('a.csv', 'video,labels\n"a.mp4,x\n', 'no valid CSV'),
        ('a.csv', '', ":1: 'video' is missing"),
        ('a.txt', 'a.mp4 0 7\n', ':1: label index 7 is outside 0..1'),
        ('a.xml', '', "not '.xml'"),
    ],
)
def test_mistakes_are_named(tmp_path, name, text, words):
    path = write(tmp_path / name, text)
    with pytest.raises(DataError) as error:
        read_annotation_file(path, classes=['a', 'b'])
    message = str(error.value)
    assert words in message and name in message
    assert '\n' not in message


def test_other_encodings_and_missing_files_are_named(tmp_path):
    path = write(tmp_path / 'a.csv', 'video,labels\nü.mp4,x\n', 'latin-1')
    with pytest.raises(DataError, match='a.csv: no UTF-8 text'):
        read_annotation_file(path)
    with pytest.raises(DataError, match='none.jsonl: annotation file not found'):
        read_annotation_file(str(tmp_path / 'none.jsonl'))
    with pytest.raises(DataError, match='give classes'):
        read_annotation_file(write(tmp_path / 'a.txt', 'a 0\n'))
