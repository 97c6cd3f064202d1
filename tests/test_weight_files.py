"""Files of weights: nothing in them runs, damage is seen, folders of several files are whole."""

from __future__ import annotations

import functools
import json
import os
import pickle
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file

from ovmlv import weight_files
from ovmlv.errors import CheckpointError, OvmlvError
from ovmlv.utils.checkpoints import open_weights_safely, read_checkpoint
from ovmlv.weight_files import read_weight_file, read_weight_folder, state_dict_of

STATE = {'a.weight': torch.arange(2000.0).reshape(4, 500), 'a.bias': torch.ones(3)}
CONTENT = dict(state_dict=STATE, meta=dict(seed=3), optimizer=dict(state={0: torch.ones(50)}))


@pytest.fixture
def saved(tmp_path):
    torch.save(CONTENT, tmp_path / 'x.pth')
    return tmp_path / 'x.pth'


def same(found):
    return set(found) == set(STATE) and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize('mmap', [True, False])
@pytest.mark.parametrize('form', ['archive', 'legacy', 'no_checksums', 'safetensors'])
def test_right_files_are_read(tmp_path, form, mmap):
    path = tmp_path / ('x.safetensors' if form == 'safetensors' else 'x.pth')
    if form == 'safetensors':
        save_file(STATE, path)
    elif form == 'legacy':
        torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    else:
        torch.serialization.set_crc32_options(form == 'archive')
        torch.save(CONTENT, path)
        torch.serialization.set_crc32_options(True)
    assert same(state_dict_of(read_weight_file(path, mmap), path))


def test_any_flipped_bit_is_seen(saved):
    """FAULTS B5: one flipped bit in a checkpoint is an error, wherever it matters."""
    data = saved.read_bytes()
    step = max(1, len(data) // 400)
    for at in range(0, len(data), step):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        saved.write_bytes(changed)
        try:
            found = read_checkpoint(str(saved))
        except CheckpointError as error:
            assert '\n' not in str(error)
            continue
        # Stuffing between the parts, dates and the like.
        assert same(found['state_dict']) and found['meta'] == CONTENT['meta'], at
        assert torch.equal(found['optimizer']['state'][0], torch.ones(50)), at


@pytest.mark.parametrize('form', ['x.pth', 'legacy.pth', 'x.safetensors'])
def test_files_that_are_cut_short(tmp_path, form):
    path = tmp_path / form
    if form == 'x.safetensors':
        save_file(STATE, path)
    else:
        torch.save(CONTENT, path, _use_new_zipfile_serialization=form == 'x.pth')
    data = path.read_bytes()
    for size in range(0, len(data) - 1, max(1, len(data) // 40)):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=path.name):
            read_weight_file(path)


class Runs:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.mark.parametrize('archive', [True, False])
@pytest.mark.parametrize('place', ['top', 'meta', 'optimizer'])
def test_objects_are_refused_wherever_they_are(tmp_path, archive, place):
    """FAULTS B2: the states of a resumed run are opened as weights are."""
    canary, path = tmp_path / 'canary', tmp_path / 'x.pth'
    content = Runs(canary) if place == 'top' else {**CONTENT, place: Runs(canary)}
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(CheckpointError, match='refused: .*may run code'):
        read_weight_file(path)
    path.write_bytes(pickle.dumps(content if place == 'top' else {place: Runs(canary)}))
    with pytest.raises(CheckpointError):
        read_weight_file(path)
    assert not canary.exists()


def test_a_strangers_name_is_shown_in_one_line_of_visible_signs(tmp_path):
    """FAULTS B5: a spoilt name of a class came into the message with its control characters."""
    path = tmp_path / 'a.pt'
    path.write_bytes(b'\x80\x02cevil\x1b[31m\x04\nname\n)R.')
    with pytest.raises(CheckpointError) as caught:
        read_weight_file(path)
    assert str(caught.value).isprintable() and 'evil' in str(caught.value)


def test_torchscript_is_opened_only_where_open_clip_knows_it(tmp_path, monkeypatch):
    """FAULTS B2: a TorchScript archive is a program."""
    path = tmp_path / 'x.pt'
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    monkeypatch.setattr(torch.jit, 'load', lambda *args, **kwargs: pytest.fail('it was loaded'))
    for mend in (read_weight_file, read_checkpoint):
        with pytest.raises(CheckpointError, match='TorchScript archive is a program'):
            mend(str(path))
    monkeypatch.undo()
    known = weight_files._known_archives()
    assert '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f' in known  # ViT-B/16
    assert len(known) >= 9 and all(re.fullmatch('[0-9a-f]{64}', digest) for digest in known)
    digest = weight_files.file_digest(path)
    monkeypatch.setattr(weight_files, '_known_archives', lambda: frozenset([digest]))
    assert set(read_weight_file(path)) == {'weight', 'bias'}


@pytest.mark.parametrize(
    'content', [[1], {}, {'a': 1}, {1: torch.ones(1)}, {'a': torch.ones(1, device='meta')}, None]
)
def test_what_is_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='x.pth'):
        state_dict_of(read_weight_file(tmp_path / 'x.pth'), tmp_path / 'x.pth')


@pytest.mark.parametrize('form', ['safetensors', 'bin'])
def test_folders_of_several_files(tmp_path, form):
    stem = 'model' if form == 'safetensors' else 'pytorch_model'
    files = {}
    for number, name in enumerate(STATE):
        files[name] = f'{stem}-{number}.{form}'
        save = save_file if form == 'safetensors' else torch.save
        save({name: STATE[name]}, tmp_path / files[name])
    index = tmp_path / f'{stem}.{form}.index.json'
    index.write_text(json.dumps(dict(weight_map=files)))
    assert same(read_weight_folder(tmp_path)[1])
    for changed, words in [
        (dict(weight_map={'a.weight': f'../{stem}-0.{form}'}), 'outside its folder'),
        (dict(weight_map={'a.weight': f'{stem}-7.{form}'}), 'is missing'),
        (dict(weight_map={'other': f'{stem}-0.{form}'}), 'in none of its files'),
        (dict(weight_map={'a': 3}), 'no index of weights'),
        ([], 'no index of weights'),
    ]:
        index.write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=words):
            read_weight_folder(tmp_path)
    index.write_text('[' * 100000)
    with pytest.raises(OvmlvError, match='nested too deep'):
        read_weight_folder(tmp_path)


def test_runners_read_them_alike(saved, tmp_path):
    """mmengine runs the text at ``meta.config`` of what it resumes from."""
    from mmengine.runner.checkpoint import CheckpointLoader

    canary = tmp_path / 'canary'
    code = f"open({str(canary)!r}, 'w')"
    torch.save({**CONTENT, 'meta': dict(seed=3, config=code)}, saved)
    before = dict(CheckpointLoader._schemes)
    try:
        open_weights_safely()
        found = CheckpointLoader.load_checkpoint(str(saved), 'cpu', logger='silent')
        assert found['meta'] == dict(seed=3) and same(found['state_dict'])
        data = bytearray(saved.read_bytes())
        data[data.index(STATE['a.weight'].numpy().tobytes()) + 100] ^= 4
        saved.write_bytes(data)
        with pytest.raises(CheckpointError, match='checksum'):
            CheckpointLoader.load_checkpoint(str(saved), 'cpu', logger='silent')
    finally:
        CheckpointLoader._schemes = before


@pytest.mark.parametrize('address', ['ftp://a/b.pth', 's3://a/b.pth', 'file:///etc/passwd'])
def test_other_addresses_are_refused(address):
    with pytest.raises(CheckpointError, match='is no https:// address'):
        read_weight_file(address)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder whose files are at an address of this machine."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_addresses_are_read_alike(served, tmp_path):
    """FAULTS B2: mmengine unpickles what it downloads, whatever it holds."""
    folder, address = served
    torch.save(CONTENT, folder / 'good.pth')
    torch.save({'state_dict': Runs(tmp_path / 'canary')}, folder / 'evil.pth')
    assert same(read_weight_file(f'{address}/good.pth')['state_dict'])
    for mmap in (True, False):
        with pytest.raises(CheckpointError, match='refused'):
            read_weight_file(f'{address}/evil.pth', mmap)
    with pytest.raises(CheckpointError, match='cannot be downloaded'):
        read_weight_file(f'{address}/none.pth')
    assert not (tmp_path / 'canary').exists()


def test_devices_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / 'x.pth')
    for path in (tmp_path / 'x.pth', '/dev/zero', tmp_path):
        with pytest.raises(CheckpointError, match='no regular file'):
            read_weight_file(path)
