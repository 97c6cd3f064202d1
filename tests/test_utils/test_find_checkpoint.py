"""Which checkpoint a run is resumed from."""

import os

import pytest
import torch

from ovmlv.errors import CheckpointError
from ovmlv.utils.checkpoints import find_checkpoint


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints; the newest is not the last by name, nor by time."""
    for i, name in enumerate(('epoch_10', 'epoch_9', 'epoch_8', 'best_acc_epoch_9')):
        path = tmp_path / f'{name}.pth'
        torch.save(dict(meta=dict(epoch=i), state_dict={}), path)
        os.utime(path, (i, i))
    return tmp_path


@pytest.mark.parametrize(
    ('note', 'said'),
    [
        ('', 'is empty'),
        ('\0\0\0', 'is empty'),
        ('/gone/epoch_11.pth', 'names /gone/epoch_11.pth, which is gone'),
        (None, 'is missing'),
    ],
)
def test_damaged_notes(folder, capsys, note, said):
    """FAULTS D12: a kill while ``last_checkpoint`` was written."""
    if note is not None:
        (folder / 'last_checkpoint').write_text(note)
    assert find_checkpoint(str(folder)) == str(folder / 'epoch_10.pth')
    out = capsys.readouterr().out
    assert said in out and 'resuming from' in out and out.count('\n') == 1


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 cut', None])
def test_damaged_checkpoints_are_passed_over(folder, capsys, content):
    """FAULTS D12: a kill while the checkpoint itself was written."""
    newest = folder / 'epoch_10.pth'
    newest.write_bytes(newest.read_bytes()[:-40] if content is None else content)
    (folder / 'last_checkpoint').write_text(str(newest))
    assert find_checkpoint(str(folder)) == str(folder / 'epoch_9.pth')
    out = capsys.readouterr().out
    assert 'epoch_10.pth' in out and 'resuming from' in out


def test_files_that_are_no_checkpoints_of_a_training(folder):
    """FAULTS D12: bare weights hold nothing to resume from."""
    torch.save({'weight': torch.zeros(1)}, folder / 'epoch_99.pth')
    assert find_checkpoint(str(folder)) == str(folder / 'epoch_10.pth')
    for path in folder.glob('*.pth'):
        path.write_bytes(b'')
    with pytest.raises(CheckpointError, match='none of 5 checkpoints'):
        find_checkpoint(str(folder))


def test_the_note_goes_first(folder, capsys, tmp_path_factory):
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_8.pth'))
    assert find_checkpoint(str(folder)) == str(folder / 'epoch_8.pth')
    (folder / 'last_checkpoint').write_text('/moved/from/epoch_9.pth\n')
    assert find_checkpoint(str(folder)) == str(folder / 'epoch_9.pth')
    assert capsys.readouterr().out == ''
    assert find_checkpoint(str(tmp_path_factory.mktemp('empty'))) is None
