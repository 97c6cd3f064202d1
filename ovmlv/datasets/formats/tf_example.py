"""``tf.train.Example`` and ``tf.train.SequenceExample`` without TensorFlow and protobuf.

The messages (tensorflow/core/example/{example,feature}.proto), by field number::

    Example          1: Features
    SequenceExample  1: Features (context)   2: FeatureLists
    Features         1: map string -> Feature
    FeatureLists     1: map string -> FeatureList;  FeatureList  1: repeated Feature
    Feature          1: BytesList   2: FloatList   3: Int64List;   each  1: repeated value

An Example is read as a SequenceExample without lists.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ovmlv.errors import DataError

Feature = list[bytes] | np.ndarray

_FIXED = {1: 8, 5: 4}  # wire type -> bytes


def parse_example(data: bytes) -> tuple[dict[str, Feature], dict[str, list[Feature]]]:
    """Features and lists of features.

    Args:
        data: A serialised Example or SequenceExample.

    Returns:
        Name -> feature of the context (an Example has nothing else), and name -> features, one for
        each step. A feature is a list of bytes, a float32 array or an int64 array.

    Raises:
        DataError: The bytes are not such a message.
    """
    context: dict[str, Feature] = {}
    lists: dict[str, list[Feature]] = {}
    try:
        for number, value in _fields(memoryview(data)):
            if number == 1:
                context.update((k, _feature(v)) for k, v in _map(_part(value)))
            elif number == 2:
                for name, steps in _map(_part(value)):
                    lists[name] = [_feature(_part(v)) for n, v in _fields(steps) if n == 1]
    except (IndexError, ValueError, TypeError, OverflowError) as error:
        raise DataError(f'no tf.train.Example ({error}); use TFRecord files of examples') from None
    return context, lists


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Field number and value of each field of a message; a varint's value is an int."""
    position, size = 0, len(data)
    while position < size:
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, position = _varint(data, position)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f'wire type {kind}')
        if position + length > size:
            raise ValueError('a field is cut off')
        yield tag >> 3, data[position : position + length]
        position += length


def _part(value: memoryview | int) -> memoryview:
    """The content of a field; ``bytes(5)`` would be five zeros, ``bytes(2**40)`` all memory."""
    if isinstance(value, int):
        raise ValueError('a number in place of bytes')
    return value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number with 7 bits in each byte, and its end."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError('a number of more than 10 bytes')


def _map(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Entries of a map, which are messages of key and value, in any order."""
    for number, entry in _fields(data):
        if number != 1:
            continue
        key, value = '', memoryview(b'')
        for part, content in _fields(_part(entry)):
            if part == 1:
                key = bytes(_part(content)).decode('utf-8')
            elif part == 2:
                value = _part(content)
        yield key, value


def _feature(data: memoryview) -> Feature:
    """The values of a Feature; numbers may be packed into one field or stand alone."""
    for kind, content in _fields(data):
        if kind == 1:
            return [bytes(_part(v)) for n, v in _fields(_part(content)) if n == 1]
        if kind == 2:
            each = [_part(v) for n, v in _fields(_part(content)) if n == 1]
            parts = [np.frombuffer(v, dtype='<f4') for v in each]
            return np.concatenate(parts) if parts else np.zeros(0, np.float32)
        if kind == 3:
            return np.array(list(_integers(_part(content))), dtype=np.uint64).astype(np.int64)
    return []  # nothing is set: a feature of no kind


def _integers(data: memoryview) -> Iterator[int]:
    """The values of an Int64List, negative ones as their two's complement."""
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            yield value
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            yield number
