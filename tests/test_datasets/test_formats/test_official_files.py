"""Class files in all their forms, and names as they are said."""

import pytest

from ovmlv.datasets.formats.official_files import ClassNames, read_class_names, spoken
from ovmlv.errors import DataError, VocabularyError
from ovmlv.tables import read_csv_rows
from tests.test_datasets.reading import write

NAMES = ['Blowing up, then popping', 'Jump', 'Nod off']


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('names.txt', 'Blowing up, then popping\nJump\nNod off'),  # no final newline
        ('crlf.txt', 'Blowing up, then popping\r\nJump\r\nNod off\r\n'),
        ('bom.txt', '\ufeffBlowing up, then popping\nJump\n\nNod off\n'),
        ('classInd.txt', '1 Blowing up, then popping\r\n2 Jump\r\n3 Nod off\r\n'),
        ('from0.txt', '2 Nod off\n0 Blowing up, then popping\n1 Jump\n'),
        ('labels.csv', 'id,name\r\n1,Jump\r\n0,"Blowing up, then popping"\r\n2,Nod off\r\n'),
        ('categories.txt', 'Blowing up, then popping,0\nJump,1\nNod off,2\n'),
        ('labels.json', '{"Jump": "1", "Nod off": "2", "Blowing up, then popping": "0"}'),
        ('list.json', '["Blowing up, then popping", "Jump", "Nod off"]'),
    ],
)
def test_every_form_of_a_class_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    assert read_class_names(str(tmp_path / name)) == NAMES


@pytest.mark.parametrize(
    ('content', 'error', 'words'),
    [
        ('id,name\n0,a\n2,b\n', DataError, 'without gaps'),
        ('id,name\n2,a\n3,b\n', DataError, 'without gaps'),
        ('id,name\n0,a\n0,b\n', DataError, "class 'b' has the id 0 of 'a'"),
        ('id,name\n0,a,b\n1,c\n', DataError, 'the row is not "id,name"'),
        ('a\nb\na\n', VocabularyError, "label 'a' occurs twice"),
        ('', DataError, '0 class ids'),
    ],
)
def test_damaged_class_files(tmp_path, content, error, words):
    path = write(tmp_path / 'classes.txt', content, last=False)
    with pytest.raises(error) as raised:
        read_class_names(str(path))
    assert words in str(raised.value) and str(path) in str(raised.value)
    assert '\n' not in str(raised.value)


def test_damaged_json_names_its_line(tmp_path):
    path = write(tmp_path / 'labels.json', '{', '"a": }')
    with pytest.raises(DataError, match=r'labels\.json:2: no valid JSON'):
        read_class_names(str(path))


def test_names_are_found_whatever_their_case_unless_it_decides():
    classes = ClassNames(['Jump up', 'Go', 'go', 'a_b'], list('wxyz'), 'file')
    assert classes.by_name('jump_up', '') == 'w' and classes.by_name('A b', '') == 'z'
    assert (classes.by_name('Go', ''), classes.by_name('go', '')) == ('x', 'y')
    with pytest.raises(DataError, match="^row 3: class 'GO' is not in file"):
        classes.by_name('GO', 'row 3')
    with pytest.raises(DataError, match='label index -1 is outside 0..3'):
        classes.by_index(-1, '')


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('ApplyEyeMakeup', 'apply eye makeup'),
        ('YoYo', 'yo yo'),
        ('brush_hair', 'brush hair'),
        ('adult+male+singing', 'adult male singing'),
        ('snuggling/cuddling/hugging', 'snuggling or cuddling or hugging'),
        ('turn-on', 'turn on'),
        ('board:chopping', 'chopping board'),
        ('machine:sous:vide', 'sous vide machine'),
    ],
)
def test_spoken(name, words):
    assert spoken(name) == words


def test_csv_cells_stay_strings(tmp_path):
    path = write(tmp_path / 'a.csv', '\ufeffid,x', '07E49,"a, b"', '-1,', end='\r\n')
    rows = list(read_csv_rows(str(path), ('id',)))
    assert rows == [
        (f'{path}:2', {'id': '07E49', 'x': 'a, b'}),
        (f'{path}:3', {'id': '-1', 'x': ''}),
    ]
    with pytest.raises(DataError, match="a.csv:1: no column 'name' among"):
        list(read_csv_rows(str(path), ('name',)))
    write(path, 'id,x', '1')
    with pytest.raises(DataError, match='a.csv:2: 1 fields, but the header has 2'):
        list(read_csv_rows(str(path), ('id',)))
    write(path, 'id,x', '1,"a')
    with pytest.raises(DataError, match='no valid CSV'):
        list(read_csv_rows(str(path), ('id',)))
