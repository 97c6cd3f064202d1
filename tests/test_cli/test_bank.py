"""``ovmlv bank``."""

import json

import pytest

from ovmlv.apis import LabelBank, open_model

from .conftest import MODEL


@pytest.fixture(scope='module')
def model():
    return open_model('motionshapes', device='cpu')


def test_from_building_to_merging(command, tmp_path, model):
    bank, other = tmp_path / 'bank', tmp_path / 'other'
    file = tmp_path / 'labels.txt'
    file.write_text('red circle\nblue square\nred circles\n')
    status, out, _ = command('bank', 'build', bank, *MODEL, '--labels-file', file)
    assert (status, out) == (0, f'{bank}: 3 labels\n')
    new = ['--labels', 'green star', 'red circle']
    out = command('bank', 'add', bank, *MODEL, *new)[1]
    assert out == f'{bank}: 1 labels were new, 4 in all\n'
    assert command('bank', 'info', bank, '--list')[1].splitlines() == [
        'red circle', 'blue square', 'red circles', 'green star',
    ]  # fmt: skip
    out = command('bank', 'info', bank, '--duplicates', '--format', 'jsonl')[1]
    assert json.loads(out) == dict(label='red circles', earlier='red circle', kind='inflection')
    found = dict(
        line.split(',', 1)
        for line in command('bank', 'info', bank, '--format', 'csv')[1].splitlines()
    )
    assert found['labels'] == '4'
    assert found['fingerprint'] == LabelBank.load(bank).encoder.fingerprint
    assert 'fingerprint' in command('bank', 'info', bank)[1]
    assert command('bank', 'build', other, *MODEL, '--labels', 'tree', 'red circle')[0] == 0
    assert command('bank', 'merge', bank, other, '--out', tmp_path / 'both')[0] == 0
    assert len(LabelBank.load(tmp_path / 'both')) == 5 and len(LabelBank.load(bank)) == 4
    assert command('bank', 'merge', bank, other)[0] == 0
    assert command('bank', 'remove', bank, '--labels', 'tree', 'red circles')[0] == 0
    kept = LabelBank.load(bank, model)
    assert kept.labels == ('red circle', 'blue square', 'green star')


def test_search(command, tmp_path, model):
    bank = tmp_path / 'bank'
    LabelBank.build(model, ['red circle', 'blue square', 'green star'], bank)
    search = ['bank', 'search', bank, '--top-k', 2, '--format', 'jsonl']
    rows = [
        json.loads(line) for line in command(*search, 'red circle', 'green star')[1].splitlines()
    ]
    assert [(row['query'], row['kind']) for row in rows] == [
        ('red circle', 'same'), ('red circle', None), ('green star', 'same'), ('green star', None),
    ]  # fmt: skip
    expected = LabelBank.load(bank).search(['a red circle'], 1, model)[0][0]
    row = json.loads(command(*search, 'a red circle', *MODEL)[1].splitlines()[0])
    assert (row['label'], row['similarity']) == expected[:2]
    status, _, err = command(*search, 'a red circle')
    assert status == 2 and 'is not in the bank' in err


def test_what_is_refused(command, tmp_path, model):
    bank = tmp_path / 'bank'
    LabelBank.build(model, ['red circle'], bank)
    for arguments, words in [
        (['build', bank, *MODEL, '--labels', 'tree'], 'none of the labels'),
        (['remove', bank, '--labels', 'tree'], "'tree' is not in the bank"),
        (['add', tmp_path / 'none', *MODEL, '--labels', 'a'], 'no label bank'),
        (['info', tmp_path], 'no label bank'),
    ]:
        status, out, err = command('bank', *arguments)
        assert (status, out) == (2, '') and words in err and err.count('\n') == 1
    (chunk,) = bank.glob('chunk-*')
    chunk.write_bytes(chunk.read_bytes()[:-1])
    status, _, err = command('bank', 'info', bank)
    assert status == 2 and 'cut short' in err
