"""Models that are sent to a hub and opened from it, over HTTP, and from its cache without it."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from ovmlv.apis import OVMLVInferencer, open_model, publish_model, push_model
from ovmlv.apis.model_folder import INDEX, write_index
from ovmlv.cli import main
from ovmlv.errors import ConfigError, OutputError, OvmlvError
from ovmlv.evaluation import Calibration
from tests.test_apis.test_model_folder import LABELS, same, scores

NAME = 'owner/shapes'


@pytest.fixture(scope='module')
def original():
    return open_model('motionshapes', device='cpu')


@pytest.fixture(scope='module')
def folder(original, tmp_path_factory):
    """A published model with a bank and a calibration."""
    path = tmp_path_factory.mktemp('published') / 'shapes'
    calibration = Calibration(2.0, -1.0, 0.4, {})
    return publish_model(original, path, LABELS, calibration, repository=NAME)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def refused(act, *args, kind=OvmlvError) -> str:
    with pytest.raises(kind) as caught:
        act(*args)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def test_there_and_back(hub, folder, original, videos):
    pinned = push_model(folder, NAME)
    assert pinned == f'{NAME}@{hub.repositories[NAME]["main"][-1]}'
    files = hub.files(NAME)
    assert {**files, '.gitattributes': b''} == {**content(folder), '.gitattributes': b''}
    assert any('lfs/objects/batch' in request for request in hub.requests), 'weights go by LFS'
    for name in (NAME, pinned, f'{NAME}@main'):
        same(open_model(name, device='cpu'), original)
    inferencer = OVMLVInferencer(NAME, device='cpu')
    local = OVMLVInferencer(folder, device='cpu')
    path = videos['green tree']
    assert inferencer.labels.labels == tuple(LABELS) and inferencer.calibration is not None
    assert inferencer(path)[0].probabilities == pytest.approx(local(path)[0].probabilities)
    assert f"OVMLVInferencer('{NAME}')" in files['README.md'].decode()


def test_a_new_state_replaces_the_old_one_which_its_commit_keeps(hub, folder, original, tmp_path):
    old = push_model(folder, NAME)
    publish_model(original, tmp_path / 'plain', check=False)
    new = push_model(tmp_path / 'plain', NAME, message='Without labels')
    assert old != new and 'bank/bank.json' not in hub.files(NAME)
    assert OVMLVInferencer(NAME, device='cpu').labels is None
    assert OVMLVInferencer(old, device='cpu').labels is not None
    branch = push_model(folder, f'{NAME}@v2')
    assert hub.repositories[NAME]['v2'][-1] == branch.partition('@')[2]
    assert OVMLVInferencer(f'{NAME}@v2', device='cpu').labels is not None


def test_one_commit_even_if_somebody_pushes_in_between(hub, folder, monkeypatch):
    """The index is of the old state, so all else must be, too."""
    push_model(folder, NAME)
    first = hub.commit(NAME, 'main')
    from ovmlv.apis import hub_models

    list_files = hub_models.list_files
    monkeypatch.setattr(
        hub_models, 'list_files', lambda r: (hub.put(NAME, {INDEX: b'{}'}), list_files(r))[1]
    )
    open_model(NAME, device='cpu')
    got = [line for line in hub.requests if line.startswith('GET') and '/resolve/' in line]
    assert len(got) > 4 and sum(first in line for line in got) >= len(got) - 1


def test_the_cache_is_enough_without_a_connection(hub, folder, original, monkeypatch):
    pinned = push_model(folder, NAME)
    open_model(NAME, device='cpu')
    asked = len(hub.requests)
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    for name in (NAME, pinned):
        same(open_model(name, device='cpu'), original)
    assert len(hub.requests) == asked, 'offline means that nobody is asked'
    message = refused(open_model, 'owner/other', kind=ConfigError)
    assert 'owner/other' in message and 'HF_HUB_OFFLINE' in message
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    hub.server.shutdown()
    hub.server.server_close()
    same(open_model(NAME, device='cpu'), original)


def test_a_cache_that_was_prepared_elsewhere(folder, original, tmp_path, monkeypatch):
    """Files in the cache's layout, and no hub at all."""
    commit = 'b' * 40
    repository = tmp_path / 'cache' / f'models--{NAME.replace("/", "--")}'
    for name, data in content(folder).items():
        blob = repository / 'blobs' / hashlib.sha256(data).hexdigest()
        link = repository / 'snapshots' / commit / name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link.symlink_to(blob)
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text(commit)
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    same(open_model(NAME, device='cpu'), original)
    same(open_model(f'{NAME}@{commit}', device='cpu'), original)
    next((repository / 'snapshots' / commit).glob('model.safetensors')).unlink()
    assert 'model.safetensors is not in the cache' in refused(open_model, NAME)


def published(folder: Path, **files: bytes) -> dict[str, bytes]:
    """Content of a published folder with more files, all of them in a right index."""
    found = content(folder)
    found.update({name.replace('__', '.'): data for name, data in files.items()})
    return found


def indexed(files: dict[str, bytes], tmp_path: Path) -> dict[str, bytes]:
    """The same with an index that lists all files with their checksums."""
    target = tmp_path / 'indexed'
    for name, data in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    known = json.loads(files[INDEX])
    about = {k: v for k, v in known.items() if k not in ('format', 'files', 'checksum')}
    write_index(target, about, [name for name in files if name != INDEX])
    return content(target)


class Canary:
    def __reduce__(self):
        return (print, ('it ran',))


PICKLE = pickle.dumps(Canary())


@pytest.mark.parametrize(
    ('name', 'data', 'listed', 'message'),
    [
        ('pytorch_model.bin', PICKLE, True, 'may run code'),
        ('pytorch_model.bin', PICKLE, False, 'may run code'),
        ('llm/training_args.pkl', PICKLE, False, 'may run code'),
        ('modeling.py', b'print(1)', True, 'may run code'),
        ('weights.xyz', b'', True, 'is of no format'),
        ('llm/config.json', b'{"auto_map": {"AutoModel": "code.M"}}', True, 'auto_map'),
        ('config.json', b'{"a": [{"custom_code": true}]}', True, 'custom_code'),
        ('README.md', b'---\ntags:\n- custom_code\n---\nhi', True, 'custom_code'),
        ('README.md', b'---\ntags: [custom_code]\n---\nhi', True, 'custom_code'),
        ('model.safetensors', PICKLE, True, 'is no safetensors file'),
        ('model.safetensors', PICKLE, False, 'was altered since'),
        ('README.md', b'altered', False, 'was altered since'),
        ('calibration.json', None, False, 'calibration.json'),
        ('ovmlv.json', b'{}', False, 'is no index of a published model'),
    ],
    ids=range(14),
)
def test_what_is_refused(hub, folder, tmp_path, capsys, name, data, listed, message):
    """From the hub, and as a folder, in one line that names the file; nothing of it is run."""
    files = content(folder)
    files = {**files, name: data} if data is not None else {k: files[k] for k in files if k != name}
    if listed:
        files = indexed(files, tmp_path)
    hub.put(NAME, files)
    local = tmp_path / 'local'
    for file, bytes_ in files.items():
        (local / file).parent.mkdir(parents=True, exist_ok=True)
        (local / file).write_bytes(bytes_)
    for where in (NAME, local):
        found = refused(open_model, where)
        assert message in found and (name in found or message == 'may run code'), found
    assert message in refused(push_model, local, 'owner/copy')
    assert 'it ran' not in capsys.readouterr().out


def test_what_was_benign_is_not_refused(hub, folder, original, tmp_path):
    files = {**content(folder), 'README.md': b'---\ntags: [a]\n---\nno custom_code here\n'}
    files['llm/config.json'] = b'{"auto_map": null, "custom_code": false}'
    hub.put(NAME, indexed(files, tmp_path))
    same(open_model(NAME, device='cpu'), original)


def test_names_that_lead_nowhere(hub, folder, monkeypatch, tmp_path):
    push_model(folder, NAME)
    hub.put('owner/clip', {'open_clip_config.json': b'{}'})
    for name, words in [
        ('owner/none', 'no such repository'),
        (f'{NAME}@none', 'no such revision'),
        ('owner/clip', 'has no ovmlv.json'),
        ('ViT-B-16/laion', 'has no weights'),
        ('ViTB16/openai', 'no such repository'),
    ]:
        message = refused(open_model, name, kind=ConfigError)
        assert words in message and name.partition('/')[0] in message
    assert 'hf-hub:owner/clip' in refused(open_model, 'owner/clip')
    assert 'leave weights=' in refused(open_model, NAME, 'a.pth')
    hub.private.add(NAME)
    open_model(NAME, device='cpu')
    monkeypatch.setenv('HF_TOKEN', 'hf_other')
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'empty'))
    assert 'hf auth login' in refused(open_model, NAME)


def test_a_folder_of_that_name_comes_first(hub, folder, original, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(folder, tmp_path / NAME)
    monkeypatch.chdir(tmp_path)
    same(open_model(NAME, device='cpu'), original)
    assert not hub.requests


def test_what_is_not_pushed(hub, folder, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_TOKEN', 'hf_other')
    message = refused(push_model, folder, NAME, kind=OutputError)
    assert 'hf auth login' in message and NAME in message
    for name in ('name', 'a/b/c', 'https://x/y', '../x', 'owner/na me', 'owner/name@'):
        assert 'owner/name' in refused(push_model, folder, name, kind=ConfigError)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no published model'):
        push_model(tmp_path / 'empty', NAME)
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    assert 'HF_HUB_OFFLINE' in refused(push_model, folder, NAME, kind=OutputError)
    assert not hub.repositories


def test_the_command_line(hub, videos, tmp_path, capsys):
    clip = ['--model', 'motionshapes', '--device', 'cpu']
    assert main(['publish', *clip, '--push', NAME, '--private', '--labels', *LABELS]) == 0
    printed = capsys.readouterr().out
    commit = hub.commit(NAME, 'main')
    assert printed == f'{NAME}@{commit}: model, 2 labels\n' and NAME in hub.private
    video = str(videos['green tree'])
    tag = ['tag', video, '--device', 'cpu', '--format', 'jsonl', '--model']
    assert main([*tag, NAME]) == 0
    one = json.loads(capsys.readouterr().out)
    assert main([*tag, f'{NAME}@{commit}']) == 0
    assert json.loads(capsys.readouterr().out) == one
    assert main([*tag, 'motionshapes', '--labels', *LABELS]) == 0
    other = json.loads(capsys.readouterr().out)
    assert {s['label'] for s in one['labels']} == {s['label'] for s in other['labels']}
    out = tmp_path / 'out'
    assert main(['publish', *clip, '--out', str(out), '--push', 'owner/two']) == 0
    assert capsys.readouterr().out.startswith(f'{out}, owner/two@') and (out / INDEX).is_file()
    for arguments, words in [
        ([], 'give --out, --push or both'),
        (['--out', str(out), '--private'], '--private is for a repository'),
        (['--push', 'name'], 'write owner/name'),
    ]:
        assert main(['publish', *clip, *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error and len(error.strip().splitlines()) == 1


def test_a_clip_of_the_hub_is_pinned_where_it_is_published(hub, original, tmp_path):
    from safetensors.torch import save

    from tests.test_models.test_clip.test_loading import TINY, original as tiny

    model = tiny()
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    files = {
        'open_clip_config.json': json.dumps(dict(model_cfg=TINY)).encode(),
        'open_clip_model.safetensors': save(state),
    }
    first = hub.put('owner/clip', files)
    clip = open_model('hf-hub:owner/clip', device='cpu')
    path = publish_model(clip, tmp_path / 'out')
    assert f"'hf-hub:owner/clip@{first}'" in (path / 'config.py').read_text()
    changed = {k: v + 1 if v.is_floating_point() else v for k, v in state.items()}
    hub.put('owner/clip', {**files, 'open_clip_model.safetensors': save(changed)})
    same(open_model(path, device='cpu'), clip)
    assert not torch.allclose(scores(open_model('hf-hub:owner/clip', device='cpu')), scores(clip))
    same(open_model(f'hf-hub:owner/clip@{first}', device='cpu'), clip)


@pytest.mark.slow
def test_processes_of_their_own(hub, videos, tmp_path):
    """As a user's shell: the address and the cache are variables, and the cache is enough later."""
    import os
    import subprocess
    import sys

    def run(*words: str, **variables: str) -> str:
        environment = {**os.environ, 'HF_ENDPOINT': hub.address, 'HF_HUB_DISABLE_XET': '1'}
        environment.update({'HF_HOME': str(tmp_path / 'home'), 'HF_HUB_OFFLINE': '0', **variables})
        command = [sys.executable, '-m', 'ovmlv', *words, '--device', 'cpu']
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    pushed = run('publish', '--model', 'motionshapes', '--push', NAME, '--labels', *LABELS)
    assert pushed == f'{NAME}@{hub.commit(NAME, "main")}: model, 2 labels\n'
    tag = ['tag', str(videos['green tree']), '--format', 'jsonl', '--model', NAME]
    first = run(*tag)
    hub.server.shutdown()
    hub.server.server_close()
    assert run(*tag, HF_HUB_OFFLINE='1') == first and 'green tree' in first
