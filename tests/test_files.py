"""Files that people write, and files that are either whole or not there."""

import functools
import hashlib
import json
import os
import stat

import pytest

from ovmlv.errors import DataError, OutputError
from ovmlv.files import (
    file_digest,
    parse_json,
    read_json_lines,
    read_lines,
    read_text,
    split_lines,
    text_digest,
    whole_file,
    whole_folder,
    write_text,
)


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_lines_end_as_in_editors_and_nowhere_else(tmp_path, end):
    lines = ['a\u2028b', 'c\x85d', 'e\x0bf\x0cg', '']
    path = tmp_path / 'labels.txt'
    path.write_bytes(b'\xef\xbb\xbf' + end.join([*lines, '']).encode())
    assert read_lines(path) == lines
    assert split_lines('') == []
    assert split_lines('x') == ['x']


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('[' * 100_000, 'nested too deep'),
        ('{"a": 1, "a": 2}', "key 'a' stands twice"),
        ('1' * 5000, 'digits'),
        ('{"a": }', ':1: no valid JSON'),
        (b'\xff', 'no valid JSON'),
    ],
)
def test_json_that_cannot_be_used_is_refused_in_one_line(text, reason):
    with pytest.raises(DataError, match=reason) as caught:
        parse_json(text, 'x.json')
    assert '\n' not in str(caught.value) and str(caught.value).startswith('x.json')


def test_errors_of_json_lines_name_the_line(tmp_path):
    path = tmp_path / 'x.jsonl'
    path.write_text('{"a": "x\u2028y"}\n\n{"a": 1,}\n', encoding='utf-8')
    rows = read_json_lines(path)
    assert next(rows) == (f'{path}:1', {'a': 'x\u2028y'})
    with pytest.raises(DataError, match=r'x\.jsonl:3: no valid JSON'):
        next(rows)


def test_text_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / 'latin').write_bytes('Café'.encode('latin-1'))
    for name, reason in (('latin', 'no UTF-8'), ('gone', 'not found'), ('', 'cannot be read')):
        with pytest.raises(DataError, match=reason):
            read_text(tmp_path / name)
    with pytest.raises(DataError, match='cannot be read'):
        read_text('a\0b')


@pytest.mark.parametrize('mask', [0o022, 0o027, 0o077])
def test_the_umask_decides_on_permissions(tmp_path, mask):
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / 'a' / 'b.bin') as scratch:
            os.close(os.open(scratch, os.O_CREAT | os.O_WRONLY, 0o600))
        with whole_folder(tmp_path / 'folder') as folder:
            (folder / 'x').touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'a' / 'b.bin').stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / 'folder').stat().st_mode) == 0o777 & ~mask


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = write_text(tmp_path / 'x.json', 'old')
    with pytest.raises(KeyError), whole_file(path) as scratch:
        scratch.write_text('half')
        raise KeyError('x')
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['x.json']
    (tmp_path / 'd').mkdir()
    (tmp_path / 'd' / 'old').touch()
    with pytest.raises(KeyError), whole_folder(tmp_path / 'd') as scratch:
        raise KeyError('x')
    assert sorted(os.listdir(tmp_path)) == ['d', 'x.json'] and (tmp_path / 'd' / 'old').exists()


def test_a_link_stays_a_link_and_no_device_is_replaced(tmp_path):
    write_text(tmp_path / 'real.txt', 'old')
    (tmp_path / 'link.txt').symlink_to('real.txt')
    write_text(tmp_path / 'link.txt', 'new')
    assert (tmp_path / 'link.txt').is_symlink() and (tmp_path / 'real.txt').read_text() == 'new'
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path / 'pipe', tmp_path, '/dev/null'):
        with pytest.raises(OutputError, match='no regular file'):
            write_text(path, 'x')
    assert stat.S_ISFIFO((tmp_path / 'pipe').stat().st_mode)


def test_a_full_disk_is_one_line(tmp_path):
    if not os.path.exists('/dev/full'):
        pytest.skip('no /dev/full here')
    with pytest.raises(OutputError, match='No space left'), whole_file(tmp_path / 'x') as scratch:
        scratch.symlink_to('/dev/full')
        scratch.write_text(json.dumps(list(range(100))))


def test_a_place_that_is_no_folder_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OutputError, match='cannot be written'):
        write_text(tmp_path / 'file' / 'x.json', '{}')
    with pytest.raises(OutputError, match='cannot be written'), whole_folder(tmp_path / 'file/x'):
        pass


def test_digests(tmp_path):
    write_text(tmp_path / 'x', 'ä' * 2_000_000)
    data = (tmp_path / 'x').read_bytes()
    assert file_digest(tmp_path / 'x') == hashlib.sha256(data).hexdigest()
    short = functools.partial(hashlib.blake2b, digest_size=16)
    assert file_digest(tmp_path / 'x', short) == hashlib.blake2b(data, digest_size=16).hexdigest()
    assert text_digest('ä' * 2_000_000) == file_digest(tmp_path / 'x')
    assert len(text_digest('a lone surrogate \ud800')) == 64
