"""TFRecord files without TensorFlow.

A record is its length (uint64, little endian), the masked CRC-32C of these 8 bytes, the payload and
its masked CRC-32C (TensorFlow's ``record_writer.h``).
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from ovmlv.errors import DataError

_POLYNOMIAL = 0x82F63B78  # of Castagnoli, bits reversed
# Bytes that one column of the vectorised checksum walks over, for short and for long data.
_BLOCKS = (64, 512)
_LONG = 1 << 16
_HEADER = struct.Struct('<QI')
_FOOTER = struct.Struct('<I')


@functools.cache
def _table() -> np.ndarray:
    """CRC of each byte ``(256,)``."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1)
    return values


@functools.cache
def _skip_table(block: int) -> list[list[int]]:
    """What ``block`` zero bytes make of each byte of a checksum ``(4, 256)``.

    A checksum (without its initial and final inversion) is linear, so its bytes can be treated one
    by one.
    """
    table = _table()
    state = np.arange(256, dtype=np.uint32)[None] << (8 * np.arange(4, dtype=np.uint32))[:, None]
    for _ in range(block):
        state = (state >> 8) ^ table[state & 0xFF]
    return state.tolist()


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, B.4), much faster than a loop over bytes.

    The data are cut into blocks that are processed side by side; their checksums are joined by
    linearity.
    """
    table = _table()
    block = _BLOCKS[len(data) >= _LONG]
    if len(data) < block:
        state = 0xFFFFFFFF
        for byte in data:
            state = (state >> 8) ^ int(table[(state ^ byte) & 0xFF])
        return state ^ 0xFFFFFFFF
    # Zero bytes in front change nothing; the initial state is the same as inverting four bytes.
    padding = -len(data) % block
    padded = np.zeros(padding + len(data), dtype=np.uint8)
    padded[padding:] = np.frombuffer(data, dtype=np.uint8)
    padded[padding : padding + 4] ^= 0xFF
    columns = np.ascontiguousarray(padded.reshape(-1, block).T)
    states = np.zeros(columns.shape[1], dtype=np.uint32)
    for row in columns:
        states = (states >> 8) ^ table[(states ^ row) & 0xFF]
    skip = _skip_table(block)
    state = 0
    for checksum in states.tolist():
        state = (
            skip[0][state & 0xFF]
            ^ skip[1][state >> 8 & 0xFF]
            ^ skip[2][state >> 16 & 0xFF]
            ^ skip[3][state >> 24]
            ^ checksum
        )
    return state ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The checksum as TFRecord files store it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def scan_records(path: str, check: bool = True) -> Iterator[tuple[int, bytes]]:
    """Offset and payload of each record.

    Args:
        path: The file.
        check: Whether to check payloads against their checksums; lengths are always checked.

    Raises:
        DataError: A record is damaged or cut off (``file: byte offset``).
    """
    with _open(path) as (file, size):
        offset = 0
        while offset < size:
            payload = _read(file, size, path, offset, check)
            yield offset, payload
            offset += _HEADER.size + len(payload) + _FOOTER.size


def read_record(path: str, offset: int) -> bytes:
    """The payload of one record, checked."""
    with _open(path) as (file, size):
        return _read(file, size, path, offset, True)


@contextmanager
def _open(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size."""
    try:
        with open(path, 'rb') as file:
            yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError(f'{path}: shard cannot be read ({error.strerror or error})') from None


def _read(file: BinaryIO, size: int, path: str, offset: int, check: bool) -> bytes:
    where = f'{path}: record at byte {offset}'
    file.seek(offset)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise DataError(f'{where} is cut off; download the file again')
    length, crc = _HEADER.unpack(header)
    if masked_crc32c(header[:8]) != crc:
        raise DataError(
            f'{where} has a damaged length, or this is no (uncompressed) TFRecord file; download '
            'it again'
        )
    # Before it is read: a length of exabytes would be asked of the memory.
    if offset + _HEADER.size + length + _FOOTER.size > size:
        raise DataError(f'{where} is cut off; download the file again')
    payload, footer = file.read(length), file.read(_FOOTER.size)
    if len(payload) < length or len(footer) < _FOOTER.size:
        raise DataError(f'{where} is cut off; download the file again')
    if check and masked_crc32c(payload) != _FOOTER.unpack(footer)[0]:
        raise DataError(f'{where} fails its checksum; download the file again')
    return payload
