"""Values of annotation files, or one error that says where."""

import math

import pytest

from ovmlv.datasets.cells import expect, finite_number, item, seconds, span, whole_number
from ovmlv.errors import DataError

NO_NUMBERS = [
    'nan', 'inf', '-inf', 'Infinity', 'abc', '', ' ', '1_000', '1e999', '0x10', '٣', '--1', '1,5',
    math.nan, math.inf, 10**30, '9' * 5000, None, True, [], {}, [1], b'1',
]  # fmt: skip


@pytest.mark.parametrize('value', NO_NUMBERS, ids=lambda v: repr(v)[:20])
def test_what_is_no_number(value):
    """FAULTS D4, D5."""
    for read in (finite_number, seconds, whole_number):
        if value == '9' * 5000 and read is not whole_number:
            value = '9' * 400  # beyond what a float holds
        with pytest.raises(DataError, match='^f:2: length .*is (not|no) ') as error:
            read(value, 'f:2', 'length')
        assert '\n' not in str(error.value) and len(str(error.value)) < 200


@pytest.mark.parametrize(
    ('value', 'number'),
    [('1.50', 1.5), (' 2 ', 2.0), ('1e3', 1000.0), ('.5', 0.5), ('5.', 5.0), (3, 3.0), ('-0', 0.0)],
)
def test_numbers(value, number):
    assert finite_number(value, '', '') == number


def test_whole_numbers():
    assert [whole_number(v, '', '') for v in (24, '24', ' 024 ', 24.0)] == [24] * 4
    for value in (24.7, '24.7', '24.0', -1, '-1'):
        with pytest.raises(DataError, match='f: class .*(no whole number|less than 0)'):
            whole_number(value, 'f', 'class')
    assert whole_number('-1', '', '', minimum=-1) == -1


def test_times_start_at_0():
    with pytest.raises(DataError, match='f: start -1 is less than 0'):
        seconds('-1', 'f', 'start')


@pytest.mark.parametrize(
    'value',
    ['12', [1], [1, 2, 3], None, {}, ['a', 1], [math.nan, 1], [0, math.inf], [-1, 2], [1, -2], 3],
    ids=repr,
)
def test_what_is_no_span(value):
    """FAULTS D5: a segment "12" was from 1 to 2, one that starts at NaN started at 0."""
    with pytest.raises(DataError, match='^f:1: segment '):
        span(value, 'f:1')


def test_spans_as_they_stand():
    assert span([3, '1.5'], '') == (3.0, 1.5)


def test_objects_and_lists():
    assert expect([1], list, '', '') == [1]
    with pytest.raises(DataError, match='f: expected a list of rows, found'):
        expect({}, list, 'f', 'a list of rows')
    assert item(dict(a=1), 'a', int, 'f') == 1
    with pytest.raises(DataError, match="f: no key 'b' among"):
        item(dict(a=1), 'b', int, 'f')
    with pytest.raises(DataError, match="f: expected a text under 'a'"):
        item(dict(a=1), 'a', str, 'f')
    with pytest.raises(DataError, match="expected a text or a number under 'a', found True"):
        item(dict(a=True), 'a', (str, int), 'f')
