"""Example messages in every form that protobuf allows."""

import numpy as np
import pytest

from ovmlv.datasets.formats.tf_example import parse_example
from ovmlv.errors import DataError
from tests.test_datasets.test_formats.tf_records import example, field, sequence_example, varint

VALUES = dict(
    id=[b'ab\x00\xff'],
    labels=[0, 3, 3861, 2**63 - 1, -1],
    mean_rgb=[0.5, -2.0, 1e-30],
    x=[b'', b'q'],
)


def check(found):
    assert found['id'] == [b'ab\x00\xff'] and found['x'] == [b'', b'q']
    assert found['labels'].dtype == np.int64 and found['labels'].tolist() == VALUES['labels']
    assert found['mean_rgb'].dtype == np.float32
    np.testing.assert_array_equal(found['mean_rgb'], np.float32(VALUES['mean_rgb']))


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('key_last', [True, False])
def test_every_encoding_of_the_same_example(packed, key_last):
    for order in (VALUES, dict(reversed(VALUES.items()))):
        context, lists = parse_example(example(key_last, packed, **order))
        check(context)
        assert lists == {}


def test_unknown_fields_are_skipped():
    unknown = field(9, 7) + field(15, b'zz') + varint(8 << 3 | 1) + bytes(8)
    unknown += varint(7 << 3 | 5) + bytes(4)
    check(parse_example(unknown + example(**VALUES) + unknown)[0])


def test_sequence_examples():
    rows = [bytes(range(4)), bytes([255] * 4)]
    context, lists = parse_example(sequence_example(dict(rgb=rows, audio=[]), **VALUES))
    check(context)
    assert lists == dict(rgb=[[rows[0]], [rows[1]]], audio=[])


def test_empty_and_missing_values():
    assert parse_example(b'') == ({}, {})
    context, _ = parse_example(field(1, field(1, field(1, b'none') + field(2, b''))))
    assert context == dict(none=[])
    content = field(1, field(1, b'ints') + field(2, field(3, b'')))
    assert len(parse_example(field(1, content))[0]['ints']) == 0


@pytest.mark.parametrize(
    'data',
    [b'\x0a\xff', b'\x0a', b'\xff' * 11, b'\x0b\x00', b'\x0a\x03\x0a\x05a', b'\x08\x01'],
    ids=['cut off', 'no length', 'long number', 'group', 'inner length', 'number for a message'],
)
def test_other_bytes_are_refused(data):
    with pytest.raises(DataError, match='no tf.train.Example'):
        parse_example(data)
