"""Streams that are not UTF-8, and texts that a terminal would act on."""

import csv
import io
import json
import os
import sys

import numpy as np
import pytest

from ovmlv.apis import LabelBank, TagResult, Window, open_model
from ovmlv.cli import main
from ovmlv.cli.result_formats import Table, write_rows
from ovmlv.evaluation.metrics.report import text_table
from ovmlv.utils.terminal import Terminal, ascii_json, lenient

from .conftest import MODEL

#: Latin-1 has one, none has all.
WORDS = ['café', '猫', 'a dog 🐕', 'naïve — “quoted”', 'plain']


@pytest.fixture(scope='module')
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp('banks') / 'words'
    LabelBank.build(open_model('motionshapes', device='cpu'), WORDS, folder)
    return folder


@pytest.fixture(params=['ascii', 'latin-1', 'cp1252', 'utf-8', 'utf-16'])
def printed(request, monkeypatch):
    """The command on a stdout of that encoding: arguments -> status, bytes."""

    def run(*arguments):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=request.param, newline='\n')
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'stdout', stream)
            status = main([str(argument) for argument in arguments])
        stream.flush()
        assert stream.errors == 'strict'
        return status, raw.getvalue()

    run.encoding = request.param
    return run


def test_json_lines_are_valid(printed, clips, bank):
    """FAULTS D8: invalid JSON with exit status 0."""
    status, out = printed('tag', clips[0], *MODEL, '--bank', bank, '--format', 'jsonl')
    assert status == 0
    for encoding in ('utf-8', printed.encoding):
        if encoding != 'utf-16':
            rows = [json.loads(line) for line in out.decode(encoding).splitlines()]
            if encoding == 'utf-8' or printed.encoding != 'utf-8':
                assert sorted(v['label'] for v in rows[0]['labels']) == sorted(WORDS)
    status, out = printed('bank', 'search', bank, WORDS[0], '--format', 'jsonl', '--top-k', 5)
    assert status == 0
    assert {json.loads(line)['label'] for line in out.decode().splitlines()} == set(WORDS)


def test_csv_is_not_altered(printed, clips, bank):
    """FAULTS D8: altered CSV."""
    status, out = printed('tag', clips[0], *MODEL, '--bank', bank, '--format', 'csv')
    rows = list(csv.DictReader(io.StringIO(out.decode('utf-8'))))
    assert status == 0 and sorted(row['label'] for row in rows) == sorted(WORDS)


def test_lists_of_labels_come_back(printed, bank, tmp_path):
    """FAULTS D8: ``bank info --list`` crashed."""
    status, out = printed('bank', 'info', bank, '--list')
    assert status == 0 and out.decode('utf-8') == ''.join(f'{word}\n' for word in WORDS)
    (tmp_path / 'words.txt').write_bytes(out)
    again = tmp_path / 'again'
    assert (
        main(['bank', 'build', str(again), *MODEL, '--labels-file', str(tmp_path / 'words.txt')])
        == 0
    )
    assert LabelBank.load(again).labels == tuple(WORDS)


@pytest.mark.parametrize(
    'arguments',
    ['tag {clip} {model} --bank {bank}', 'bank info {bank}', 'bank info {bank} --duplicates',
     'bank search {bank} 猫', 'bank merge {bank} {bank} --out {out}/猫',
     'export {model} --labels 猫 --labels-only {out}/猫'],
)  # fmt: skip
def test_no_command_fails_at_a_character(printed, clips, bank, tmp_path, arguments):
    """FAULTS D8"""
    values = dict(clip=clips[0], model=' '.join(MODEL), bank=bank, out=tmp_path)
    status, out = printed(*arguments.format(**values).split())
    assert status == 0 and (out or '--duplicates' in arguments)


def test_prints_of_tools(capsys):
    """FAULTS D8: what is printed in other ways does not fail either."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding='ascii')
    with lenient(stream):
        print('猫', file=stream)
    stream.flush()
    assert raw.getvalue() == b'\\u732b\n' and stream.errors == 'strict'


def test_json_in_ascii():
    text = json.dumps(['é', '🐕', '\udce9', '\\u00e9', '\u2028'], ensure_ascii=False)
    assert ascii_json(text).isascii() and json.loads(ascii_json(text)) == json.loads(text)


def test_bytes_of_file_names_come_back(capfdbinary, clips, tmp_path):
    """FAULTS D8: a name that is no UTF-8, in CSV on stdout."""
    name = os.fsencode(tmp_path) + b'/caf\xe9.mp4'
    try:
        os.link(clips[0], name)
    except OSError:
        pytest.skip('file names are UTF-8 here')
    path = os.fsdecode(name)
    for style in ('csv', 'jsonl', 'table'):
        assert main(['tag', path, *MODEL, '--labels', 'a', '--format', style]) == 0
        out = capfdbinary.readouterr().out
        assert style == 'table' or name in out or json.loads(out)['video'] == path


def floats(*values):
    return np.array(values, np.float32)


ESCAPES = 'a \x1b[2J\x1b[31mdog\nred\r'


def test_tables_show_controls(clips):
    """FAULTS D17: control characters in tables."""
    result = TagResult(f'{ESCAPES}.mp4', (ESCAPES, 'cat'), floats(0.5, 0.25))
    for text in (result.table(), Table().text(result), text_table(['a'], [[ESCAPES]])):
        assert '\x1b' not in text and r'\x1b[2J' in text and r'\nred' in text
        assert '\r' not in text
    assert len(result.table().splitlines()) == 3
    windows = (Window(0, 1), Window(1, 2))
    table = floats(0.5, 0.25, 0.5, 0.25).reshape(2, 2)
    long = TagResult('a.mp4', (ESCAPES, 'cat'), table[0], None, None, windows, table)
    assert '\x1b' not in Table().text(long)
    bad = TagResult('a.mp4', ('cat',), floats(float('nan')), f'{ESCAPES} is damaged')
    assert '\x1b' not in bad.table() and len(bad.table().splitlines()) == 2


def test_formats_for_programs_keep_controls():
    """FAULTS D17: what a program reads is not altered."""
    stream = io.StringIO()
    write_rows(Terminal(stream), 'csv', ['label'], [[ESCAPES]])
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline='')))[1] == [ESCAPES]
    stream = io.StringIO()
    write_rows(Terminal(stream), 'jsonl', ['label'], [[ESCAPES]])
    assert json.loads(stream.getvalue()) == {'label': ESCAPES}


def test_error_lines(command, clips, tmp_path):
    """FAULTS D17: an error is one line of bearable length without controls."""
    for arguments in (
        ['tag', clips[0], *MODEL, '--labels', *['x' * 5000] * 2],
        ['tag', clips[0], *MODEL, '--labels-file', tmp_path / ESCAPES],
        ['tag', tmp_path / f'{ESCAPES}*.mp4', *MODEL, '--labels', 'a'],
        ['tag', clips[0], *MODEL, '--labels', 'caf\udce9'],
        ['bank', 'build', tmp_path / 'b', *MODEL, '--labels', 'caf\udce9'],
        ['bank', 'search', tmp_path / 'b', 'caf\udce9'],
        ['bank', 'info', tmp_path / ESCAPES],
        ['publish', *MODEL, '--out', tmp_path / 'm', '--name', 'caf\udce9'],
    ):
        status, out, err = command(*arguments)
        assert (status, out) == (2, ''), err
        assert err.count('\n') == 1 and len(err) < 700 and '\x1b' not in err, err
    status, _, err = command('tag', tmp_path / f'{ESCAPES}.mp4', *MODEL, '--labels', 'a')
    assert status == 3 and '\x1b' not in err and err.count('\n') == 2
