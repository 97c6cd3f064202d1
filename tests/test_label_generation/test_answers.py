"""Answers kept in a file."""

import pytest

from ovmlv.errors import DataError
from ovmlv.label_generation import AnswerFile

ODD = 'a\u2028b\x85c\x0bd\x0ce\x1cf\ng\rh'


def test_any_character_of_an_answer(tmp_path):
    """FAULTS D1: U+2028 in an answer made the file unreadable."""
    path = tmp_path / 'a.answers.jsonl'
    AnswerFile(path, dict(prompt=ODD)).add(ODD, 0, ODD)
    again = AnswerFile(path, dict(prompt=ODD))
    assert again.answers == {(ODD, 0): ODD}
    again.add('x', 1, 'y')
    with open(path, 'ab') as file:
        file.write(b'{"source": "cut')  # a kill
    assert AnswerFile(path, dict(prompt=ODD)).answers == {(ODD, 0): ODD, ('x', 1): 'y'}
    assert path.read_bytes().endswith(b'}\n')


@pytest.mark.parametrize(
    'content',
    [b'notes', b'notes\nmore', b'{"settings": {}}\n[', b'{"settings": 3}\n', b'\xff\n', b'[1]\n',
     b'{"settings": {}}\n{"source": 1}\nx', b'{"settings": {}}\n' + b'[' * 100_000 + b'\n'],
    ids=range(8),
)  # fmt: skip
def test_other_files_are_left_alone(tmp_path, content):
    path = tmp_path / 'a.answers.jsonl'
    path.write_bytes(content)
    if content == b'{"settings": {}}\n[':
        AnswerFile(path, {})  # cut within its second line
        return
    with pytest.raises(DataError, match='is no file of answers .*; remove it') as error:
        AnswerFile(path, {})
    assert '\n' not in str(error.value) and path.read_bytes() == content


def test_a_first_line_cut_short(tmp_path):
    path = tmp_path / 'a.answers.jsonl'
    for content in (b'', b'{"sett', b'{"settings": {"a'):
        path.write_bytes(content)
        assert AnswerFile(path, dict(a=1)).answers == {}
