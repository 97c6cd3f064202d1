"""TFRecord framing and checksums against published values and a plain loop."""

import numpy as np
import pytest

from ovmlv.datasets.formats.tfrecord import crc32c, masked_crc32c, read_record, scan_records
from ovmlv.errors import DataError
from tests.test_datasets.test_formats import tf_records


@pytest.mark.parametrize(
    ('data', 'crc'),
    [
        # RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
        (bytes(32), 0x8A9136AA),
        (b'\xff' * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b'123456789', 0xE3069283),
        (b'', 0),
    ],
)
def test_published_checksums(data, crc):
    assert crc32c(data) == crc


@pytest.mark.parametrize(
    'size', [1, 3, 63, 64, 65, 127, 128, 4711, (1 << 16) - 1, 1 << 16, (1 << 16) + 1]
)
def test_blocks_are_joined_as_one_loop_would(size):
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == tf_records.crc32c(data)
    assert masked_crc32c(data).to_bytes(4, 'little') == tf_records.masked(data)


def test_records(tmp_path):
    payloads = [b'a', b'', b'x' * 2000]
    path = str(tmp_path / 'a.tfrecord')
    (tmp_path / 'a.tfrecord').write_bytes(tf_records.frame(*payloads))
    found = list(scan_records(path))
    assert [p for _, p in found] == payloads and [o for o, _ in found] == [0, 17, 33]
    assert read_record(path, 33) == payloads[2]
    (tmp_path / 'empty.tfrecord').write_bytes(b'')
    assert list(scan_records(str(tmp_path / 'empty.tfrecord'))) == []


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda d: d[:20] + b'?' + d[21:], 'a.tfrecord: record at byte 0 fails its checksum'),
        (lambda d: d[:-2], 'record at byte 1016 is cut off'),
        (lambda d: d[:-1010], 'record at byte 1016 is cut off'),
        (lambda d: b'\x01' + d[1:], 'byte 0 has a damaged length'),
        (lambda d: b'\x1f\x8b' + d, 'no .uncompressed. TFRecord file'),
    ],
)
def test_damage_is_named(tmp_path, change, words):
    path = tmp_path / 'a.tfrecord'
    path.write_bytes(change(tf_records.frame(b'y' * 1000, b'z' * 1000)))
    with pytest.raises(DataError, match=words):
        list(scan_records(str(path)))


def test_payloads_may_go_unchecked(tmp_path):
    data = bytearray(tf_records.frame(b'y' * 10))
    data[15] ^= 1
    (tmp_path / 'a').write_bytes(data)
    assert len(list(scan_records(str(tmp_path / 'a'), check=False))) == 1
    with pytest.raises(DataError, match='checksum'):
        read_record(str(tmp_path / 'a'), 0)
