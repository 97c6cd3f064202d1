"""A writer of TFRecord files for tests, byte by byte and with a plain checksum."""

from __future__ import annotations

import struct


def _of_byte(value: int) -> int:
    """Bit by bit, as RFC 3720 defines it."""
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


_TABLE = [_of_byte(value) for value in range(256)]


def crc32c(data: bytes) -> int:
    """Byte by byte."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack('<I', (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def frame(*payloads: bytes) -> bytes:
    """Records of a file."""
    records = []
    for payload in payloads:
        length = struct.pack('<Q', len(payload))
        records.append(length + masked(length) + payload + masked(payload))
    return b''.join(records)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes | int) -> bytes:
    """A field of wire type 2, or 0 for a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(values: list, packed: bool = True) -> bytes:
    """A Feature of bytes, floats or integers."""
    if isinstance(values[0], bytes):
        return field(1, b''.join(field(1, v) for v in values))
    if isinstance(values[0], float):
        data = struct.pack(f'<{len(values)}f', *values)
        alone = b''.join(varint(1 << 3 | 5) + data[i : i + 4] for i in range(0, len(data), 4))
        return field(2, field(1, data) if packed else alone)
    alone = b''.join(field(1, v) for v in values)
    return field(3, field(1, b''.join(map(varint, values))) if packed else alone)


def feature_map(features: dict[str, bytes], key_last: bool = False) -> bytes:
    """Entries of a map; protobuf allows value before key."""
    entries = []
    for name, content in features.items():
        parts = [field(1, name.encode()), field(2, content)]
        entries.append(field(1, b''.join(reversed(parts) if key_last else parts)))
    return b''.join(entries)


def example(key_last: bool = False, packed: bool = True, **features: list) -> bytes:
    """A serialised Example."""
    content = {name: feature(values, packed) for name, values in features.items()}
    return field(1, feature_map(content, key_last))


def sequence_example(lists: dict[str, list[bytes]], **context: list) -> bytes:
    """A serialised SequenceExample with a bytes feature a step."""
    steps = {
        name: b''.join(field(1, feature([row])) for row in rows) for name, rows in lists.items()
    }
    return example(**context) + field(2, feature_map(steps))
