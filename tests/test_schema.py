"""Forms of JSON files."""

from __future__ import annotations

import pytest

from ovmlv.errors import DataError
from ovmlv.schema import (
    count,
    fits,
    integer,
    is_plain_path,
    label,
    number,
    positive,
    read_object,
    text,
)

RIGHT = [
    ('a', text), ('', text), ('a', label), (0, count), (1, positive), (1.5, number), (-2, number),
    (None, (text, None)), (['a'], [text]), ([], [label]), ({'a': 1}, {text: integer}),
    ({}, {text: integer}), ({'a': 1, 'b': 2}, dict(a=count)), ([dict(a=1)], [dict(a=count)]),
    (True, bool), ({}, dict),
]  # fmt: skip
WRONG = [
    (3, text), ('\ud800', text), (' ', label), (True, integer), (True, number), (-1, count),
    (1.0, count), (0, positive), (float('nan'), number), (float('inf'), number), (10**400, number),
    ('1', number), (3, (text, None)), ('abc', [text]), ([3], [text]), ({'a': 'b'}, {text: integer}),
    ([], {text: integer}), ({}, dict(a=count)), ({'a': None}, dict(a=count)), (1, bool), ([], dict),
]  # fmt: skip


@pytest.mark.parametrize(('value', 'form'), RIGHT)
def test_what_fits(value, form):
    assert fits(value, form)


@pytest.mark.parametrize(('value', 'form'), WRONG)
def test_what_does_not(value, form):
    assert not fits(value, form)


@pytest.mark.parametrize('name', ['a', 'a/b.txt', '.hidden', 'a b', '..a', 'ä/ö'])
def test_paths_inside_of_a_folder(name):
    assert is_plain_path(name)


@pytest.mark.parametrize(
    'name',
    ['', '.', '..', '/a', 'a/', 'a//b', 'a/../b', '../a', 'a/..', '\\a', 'a\\..\\b', 'C:\\a',
     'C:a', 'http://a', 'a\0', 'a' * 300, '\ud800'],
)  # fmt: skip
def test_paths_that_lead_out(name):
    assert not is_plain_path(name)


@pytest.mark.parametrize(
    ('content', 'words'),
    [('[', 'no valid JSON'), ('[]', 'no object'), ('{}', 'a is missing'),
     ('{"a": "x"}', 'a is missing or wrong'), ('[' * 100000, 'nested too deep'),
     ('{"a": 1, "a": 2}', 'twice')],
)  # fmt: skip
def test_files(tmp_path, content, words):
    path = tmp_path / 'x.json'
    path.write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        read_object(path, dict(a=count), 'no list of things', 'write it again')
    assert str(caught.value).startswith(f'{path} is no list of things (')
    assert str(caught.value).endswith('write it again') and str(caught.value).count(str(path)) == 1
    path.write_text('{"a": 1, "b": 2}')
    assert read_object(path, dict(a=count), 'no list', 'write it') == dict(a=1, b=2)
