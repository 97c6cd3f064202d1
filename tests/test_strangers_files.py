"""Files of a stranger run nothing, write nothing, and lead to no other file or address.

Each attack would leave a mark: a file beside the canary, the canary itself changed or gone, or a
knock at a port of this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

from ovmlv.apis import LabelBank, load_model, open_model, publish_model
from ovmlv.apis.model_folder import CONFIG, INDEX, _checksum
from ovmlv.errors import OvmlvError
from ovmlv.evaluation import Calibration
from ovmlv.models.backbones.prefix_cache import PrefixCache
from ovmlv.models.clip import load_clip
from ovmlv.models.llm.llm_loading import load_llm
from ovmlv.runtime import LabelSet
from ovmlv.utils.checkpoints import read_checkpoint
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import one_line
from ovmlv.weight_files import read_weight_folder

TINY = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=32, layers=1, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=16, vocab_size=49408, width=32, heads=2, layers=1),
)
AUTO = dict(AutoConfig='code.C', AutoModelForCausalLM='code.M')
REFUSED = (OvmlvError, FileNotFoundError)


class Ground:
    """A folder with a canary, and a port that nobody may knock at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keep = folder / 'keep'
        self.keep.mkdir()
        self.canary = self.keep / 'canary.txt'
        self.canary.write_text('alive')
        self.mark = folder / 'mark'
        self.files = folder / 'files'
        self.files.mkdir()
        self.socket = socket.socket()
        self.socket.bind(('127.0.0.1', 0))
        self.socket.listen()
        self.socket.settimeout(0)
        self.address = f'http://127.0.0.1:{self.socket.getsockname()[1]}/x.pth'

    def check(self) -> None:
        assert not self.mark.exists(), 'it wrote a file'
        assert self.canary.read_text() == 'alive' and len(list(self.keep.iterdir())) == 1
        with pytest.raises(BlockingIOError):
            self.socket.accept()


@pytest.fixture
def ground(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Ground(tmp_path)
    yield found
    found.check()
    found.socket.close()


def refused(act: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(REFUSED) as caught:
        act(*args, **kwargs)
    line = one_line(caught.value)
    assert '\n' not in str(caught.value).strip() and len(line) < 600, line
    return line


class Runs:
    """Pickled, it calls a function when it is opened."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self):
        return self.call


# --- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['x.pth', 'x.pt', 'x.bin', 'x.ckpt', 'pytorch_model.bin'])
@pytest.mark.parametrize('how', ['torch', 'legacy', 'pickle'])
def test_pickles(ground, name, how):
    """FAULTS B2."""
    path = ground.files / name
    for attack in (
        Runs(open, str(ground.mark), 'w'),
        Runs(os.system, f'touch {ground.mark}'),
        Runs(shutil.rmtree, str(ground.keep)),
        Runs(getattr, print, '__self__'),
        Runs(eval, f"open({str(ground.mark)!r}, 'w')"),
    ):
        if how == 'pickle':
            path.write_bytes(pickle.dumps(attack))
        else:
            torch.save({'state_dict': attack}, path, _use_new_zipfile_serialization=how == 'torch')
        refused(read_checkpoint, str(path))
        (ground.files / 'a.json').write_text(json.dumps(TINY))
        refused(load_clip, str(ground.files / 'a.json'), str(path))
    if name.startswith('pytorch'):
        refused(read_weight_folder, ground.files)


class Program(torch.nn.Module):
    """Scripted, it says on loading that it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.alive = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return (self.alive, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.training = state[1]
        self.alive = state[0]
        self.weight = torch.zeros(1)
        print('a stranger runs')


def test_programs_of_torch(ground, capfd):
    """FAULTS B2: ``__setstate__`` of a TorchScript archive runs as soon as it is loaded."""
    path = ground.files / 'x.pt'
    torch.jit.script(Program()).save(str(path))
    torch.jit.load(str(path))
    assert 'a stranger runs' in capfd.readouterr().out, 'the attack itself is right'
    (ground.files / 'a.json').write_text(json.dumps(TINY))
    assert 'TorchScript' in refused(read_checkpoint, str(path))
    assert 'TorchScript' in refused(load_clip, str(ground.files / 'a.json'), str(path))
    config = ground.files / 'c.json'
    config.write_text(json.dumps(dict(model=zero_shot_model())))
    assert 'TorchScript' in refused(open_model, config, str(path), device='cpu')
    assert 'stranger' not in ''.join(capfd.readouterr())


# --- published folders ---------------------------------------------------------------------------


def zero_shot_model(**changes: Any) -> dict:
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    backbone = dict(
        type='TemporalCLIPBackbone', **clip, num_frames=4, temporal=dict(type='FrameMean')
    )
    head = dict(type='TemplatePromptHead', **clip)
    return dict(dict(type='OpenVocabRecognizer', backbone=backbone, head=head), **changes)


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp('published') / 'model'
    config = folder.parent / 'config.json'
    pipeline = [
        dict(type='VideoInit'),
        dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
        dict(type='VideoDecode'),
        dict(type='PackMultilabelInputs'),
    ]
    config.write_text(json.dumps(dict(model=zero_shot_model(), test_pipeline=pipeline)))
    calibration = Calibration(2.0, -1.0, 0.4, {'a dog': 0.2})
    model = open_model(config, device='cpu')
    return publish_model(model, folder, ['a dog'], calibration, check=False)


def rewrite(folder: Path, change: Any) -> None:
    """Change the index of a folder and make all its checksums right again."""
    content = json.loads((folder / INDEX).read_text())
    content.pop('checksum')
    for name in content['files']:
        data = (folder / name).read_bytes()
        content['files'][name] = dict(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    change(content)
    (folder / INDEX).write_text(json.dumps(dict(content, checksum=_checksum(content))))


def with_config(published: Path, ground: Ground, **changes: Any) -> Path:
    """A copy of the folder with other settings, given by dotted names, and right checksums."""
    folder = shutil.copytree(published, ground.files / 'model', dirs_exist_ok=True)
    cfg = load_literal(folder)
    for key, value in changes.items():
        part, *path = [cfg, *key.replace('__', '.').split('.')]
        for name in path[:-1]:
            part = part[int(name)] if name.isdigit() else part.setdefault(name, {})
        part[int(path[-1]) if path[-1].isdigit() else path[-1]] = value
    (folder / CONFIG).write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.items()))
    rewrite(folder, lambda content: None)
    return folder


def load_literal(folder: Path) -> dict:
    from ovmlv.apis.literal_config import read_literal_config

    return read_literal_config(folder / CONFIG).to_dict()


def test_the_folder_itself_is_right(published, ground):
    assert load_model(with_config(published, ground), device='cpu').published


FUNCTIONS = [
    lambda g: dict(type='mmengine.load', file=str(g.files / 'x.pkl')),
    lambda g: dict(type='mmengine.fileio.load', file='x.pkl'),
    lambda g: dict(type='mmengine.put_text', obj='x', filepath='mark'),
    lambda g: dict(type='mmengine.fileio.put_text', obj='x', filepath='mark'),
    lambda g: dict(type='mmengine.dump', obj=[1], file='mark.json'),
    lambda g: dict(type='mmengine.fileio.rmtree', dir_path='keep'),
    lambda g: dict(type='mmengine.fileio.remove', filepath='keep/canary.txt'),
    lambda g: dict(type='os.system', command='touch mark'),
    lambda g: dict(type='subprocess.run', args='true'),
    lambda g: dict(type='shutil.rmtree', path='keep'),
    lambda g: dict(type='builtins.eval', source='1'),
    lambda g: dict(type='torch.load', f='x.pkl'),
    lambda g: dict(type='torch.nn.Linear', in_features=1, out_features=1),
    lambda g: dict(type='mmengine.Config.fromfile', filename='evil.py'),
    lambda g: dict(type='evil'),
    lambda g: dict(type='ovmlv.cli.app.main'),
    lambda g: dict(type='load', _scope_='mmengine'),
    lambda g: dict(type='FrameMean', _scope_='evil'),
    lambda g: dict(type='evil.FrameMean'),
    lambda g: dict(type=['os', 'system']),
    lambda g: dict(type=dict(type='os.system')),
    lambda g: dict(type='CheckpointHook', out_dir='mark'),
    lambda g: dict(type='MultilabelVideoDataset', ann_file='keep/canary.txt'),
    lambda g: dict(type='default_collate'),
]


@pytest.fixture
def traps(ground):
    """What an attack may name: modules that run on import, and a pickle."""
    code = f"open({str(ground.mark)!r}, 'w')\n"
    (ground.folder / 'evil').mkdir()
    for path in ('evil.py', 'evil/__init__.py', 'evil/registry.py'):
        (ground.folder / path).write_text(code)
    for folder in (ground.folder, ground.files):
        (folder / 'x.pkl').write_bytes(pickle.dumps(Runs(open, str(ground.mark), 'w')))
    return ground


@pytest.mark.parametrize('place', ['model', 'model__head', 'model__scorer', 'test_pipeline__0'])
def test_functions_as_types(published, traps, place, monkeypatch):
    """FAULTS B1: a type is registered, and of the kind that is built there."""
    monkeypatch.syspath_prepend(str(traps.folder))
    for attack in FUNCTIONS:
        folder = with_config(published, traps, **{place: attack(traps)})
        refused(open_model, folder, device='cpu')
        traps.check()


SETTINGS = [
    ('custom_imports', dict(imports=['evil'])),
    ('custom_hooks', [dict(type='evil.Hook')]),
    ('default_scope', 'evil'),
    ('load_from', 'x.pkl'),
    ('_base_', 'evil.py'),
    ('model__backbone__pretrained', '/etc/passwd'),
    ('model__backbone__pretrained', '../keep/canary.txt'),
    ('model__backbone__pretrained', 'x.pkl'),
    ('model__backbone__pretrained', 'keep'),
    ('model__backbone__pretrained', 'a' * 5000),
    ('model__backbone__num_frames', 'many'),
    ('model__backbone__image_size', -3),
    ('model__strange', 1),
    ('model__head', []),
    ('model', 3),
    ('filename', 'x'),
    ('model__backbone__pretrained', '~/x.pt'),
    ('model__backbone__model_name', 'keep/a.json'),
    ('model__backbone__model_name', 'local-dir:keep'),
    ('model__backbone__prefix_cache_dir', 'mark'),
    ('model__backbone__init_cfg', dict(type='Pretrained', checkpoint='x.pkl')),
    ('model__head__init_cfg', [dict(type='mmengine.PretrainedInit', checkpoint='x.pkl')]),
    ('model__reference_vocabulary', '/etc/passwd'),
    ('model__head__templates', ['{}', '/etc/passwd']),
    ('model__head__cache_file', 'keep/canary.txt'),
    ('test_pipeline__0', dict(type='CacheFrames', transforms=[], folder='mark')),
    ('test_pipeline__0', dict(type='mmaction.DecordInit', io_backend='memcached', sys_path='.')),
    ('test_pipeline__0', dict(type='VideoInit', backend_args=dict(backend='http'))),
]


@pytest.mark.parametrize(('key', 'value'), SETTINGS, ids=lambda v: str(v)[:40])
def test_settings_that_lead_elsewhere(published, traps, key, value, monkeypatch):
    """FAULTS B1: what a folder may say is known, and files are its own."""
    monkeypatch.syspath_prepend(str(traps.folder))
    refused(open_model, with_config(published, traps, **{key: value}), device='cpu')


def test_addresses(published, ground):
    for key in ('pretrained', 'model_name'):
        folder = with_config(published, ground, **{f'model__backbone__{key}': ground.address})
        refused(open_model, folder, device='cpu')
    init = dict(type='Pretrained', checkpoint=ground.address)
    refused(open_model, with_config(published, ground, model__init_cfg=init), device='cpu')
    mark = dict(type='Constant', val=0.0, url=ground.address)
    refused(open_model, with_config(published, ground, model__init_cfg=mark), device='cpu')


@pytest.mark.parametrize(
    'paths',
    [
        {'model.type': 'evil.py'},
        {'custom_imports.imports': CONFIG},
        {'model.backbone.pretrained': '../../keep/canary.txt'},
        {'model.backbone.pretrained': '/etc/passwd'},
        {'model.backbone.pretrained': 'unlisted.safetensors'},
        {'model.backbone.pretrained': '..\\x'},
        {'model.backbone.type': CONFIG},
        {'test_pipeline.0.type': CONFIG},
        {'model.backbone.pretrained.deep.name': CONFIG},
        {'model': CONFIG},
        [],
        {'model.backbone.pretrained': 3},
    ],
    ids=str,
)
def test_paths_of_the_index(published, ground, paths):
    """FAULTS B1: what the index puts into the config is checked as what stands there."""
    folder = with_config(published, ground)
    rewrite(folder, lambda content: content.update(paths=paths))
    (folder / 'unlisted.safetensors').write_bytes(save({'a': torch.zeros(1)}))
    refused(open_model, folder, device='cpu')


def test_files_of_the_index(published, ground):
    folder = with_config(published, ground)
    data = ground.canary.read_bytes()
    known = dict(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    for name in ('../keep/canary.txt', str(ground.canary), 'a/../../../keep/canary.txt', 'C:x'):
        rewrite(folder, lambda content, name=name: content['files'].update({name: known}))
        assert 'outside its folder' in refused(open_model, folder, device='cpu')
        rewrite_without(folder, name)
    (folder / 'link').symlink_to(ground.canary)
    rewrite(folder, lambda content: content['files'].update(link=known))
    assert 'leads out of' in refused(open_model, folder, device='cpu')


def rewrite_without(folder: Path, name: str) -> None:
    content = json.loads((folder / INDEX).read_text())
    del content['files'][name]
    (folder / INDEX).write_text(json.dumps(content))


def test_options_may_name_registered_classes_only(published, traps, monkeypatch):
    """FAULTS B1: what was merged is checked again."""
    monkeypatch.syspath_prepend(str(traps.folder))
    folder = with_config(published, traps)
    for options in (
        {'model.head': dict(type='mmengine.load', file='x.pkl', _delete_=True)},
        {'model.scorer.type': 'evil'},
        {'default_scope': 'evil'},
        {'custom_imports': dict(imports=['evil'])},
    ):
        refused(open_model, folder, device='cpu', cfg_options=options)


@pytest.mark.parametrize(
    'change',
    [
        lambda c: c.update(files=[]),
        lambda c: c.update(files={'config.py': 3}),
        lambda c: c.pop('files'),
        lambda c: c.pop('paths'),
        lambda c: c.update(files={}),
        lambda c: c['files']['config.py'].update(bytes='9'),
        lambda c: c['files']['config.py'].update(bytes=True),
        lambda c: c['files']['config.py'].update(sha256=None),
        lambda c: c.update(format=None),
    ],
)
def test_malformed_indices(published, ground, change):
    """FAULTS B6."""
    folder = with_config(published, ground)
    rewrite(folder, change)
    refused(open_model, folder, device='cpu')


@pytest.mark.parametrize('text', ['[' * 100000, '{"a":' * 50000, '', '3', '"x"', '[]', '\ud800'])
@pytest.mark.parametrize('name', [INDEX, 'bank/bank.json', 'config.py', 'calibration.json'])
def test_nested_bombs(published, ground, name, text):
    """FAULTS B6."""
    folder = with_config(published, ground)
    known = name in json.loads((folder / INDEX).read_text())['files']
    (folder / name).write_bytes(text.encode('utf-8', 'surrogatepass'))
    if name == INDEX:
        refused(open_model, folder, device='cpu')
    elif known:
        rewrite(folder, lambda content: None)

        def open_all() -> None:
            opened = load_model(folder, device='cpu').published
            assert opened is not None
            opened.bank(), opened.calibration()

        refused(open_all)


# --- other configs -------------------------------------------------------------------------------


@pytest.mark.parametrize('suffix', ['.json', '.yml', '.yaml'])
def test_configs_of_data(traps, suffix, monkeypatch):
    """FAULTS B1: JSON and YAML run nothing."""
    import yaml

    monkeypatch.syspath_prepend(str(traps.folder))
    path = traps.files / f'c{suffix}'
    for content in (
        dict(model=dict(type='os.system', command='touch mark')),
        dict(model=zero_shot_model(head=dict(type='mmengine.load', file='x.pkl'))),
        dict(model=zero_shot_model(), custom_imports=dict(imports=['evil'])),
        dict(model=zero_shot_model(), custom_hooks=[dict(type='evil')]),
        dict(model=zero_shot_model(), runner_type='evil'),
        dict(model=zero_shot_model(), optim_wrapper=dict(constructor='evil')),
        dict(model=zero_shot_model(), default_scope='evil'),
        dict(model=zero_shot_model(_scope_='evil')),
        dict(model=zero_shot_model(), _base_='../evil.py'),
        dict(model=zero_shot_model(), _base_=['../evil.py']),
        dict(model=zero_shot_model(), _base_=[f'c{suffix}']),
        [],
        3,
    ):
        text = json.dumps(content) if suffix == '.json' else yaml.safe_dump(content)
        path.write_text(text)
        refused(load_config, str(path))
        refused(open_model, path, device='cpu')
    good = dict(model=zero_shot_model())
    (traps.files / f'base{suffix}').write_text(json.dumps(good))
    path.write_text(json.dumps(dict(_base_=f'base{suffix}', model=dict(average_views='embedding'))))
    found = load_config(str(path))
    assert found.model.average_views == 'embedding' and found.model.type == 'OpenVocabRecognizer'
    refused(load_config, str(path), {'model.head.type': 'os.system'})


@pytest.mark.parametrize(
    'text',
    [
        '!!python/object/apply:os.system ["touch mark"]',
        'model: !!python/object/new:os.system ["touch mark"]',
        'model: !!python/name:os.system',
        '!!python/module:evil',
        'a: &a [*a]',
        'a: &a {b: *a}',
        'a: &a [x, x]\n'
        + ''.join(
            f'{y}: &{y} [{", ".join([f"*{x}"] * 9)}]\n' for x, y in zip('abcdefg', 'bcdefgh')
        ),
        '[' * 2000,
    ],
)
def test_tags_and_bombs_of_yaml(traps, text):
    (traps.files / 'c.yml').write_text(text)
    refused(load_config, str(traps.files / 'c.yml'))


# --- architectures, tokenizers, language models --------------------------------------------------


@pytest.mark.parametrize(
    'change',
    [
        dict(text_cfg=dict(tokenizer_kwargs=dict(bpe_path='../keep/canary.txt'))),
        dict(text_cfg=dict(tokenizer_kwargs=dict(bpe_path='/etc/passwd'))),
        dict(text_cfg=dict(hf_tokenizer_name='../keep')),
        dict(text_cfg=dict(hf_tokenizer_name='/etc')),
        dict(text_cfg=dict(hf_tokenizer_name='t', tokenizer_kwargs=dict(trust_remote_code=True))),
        dict(vision_cfg=dict(timm_model_name='local-dir:../keep')),
        dict(vision_cfg=dict(timm_model_name='hf-hub:a/b')),
        dict(text_cfg=dict(hf_model_name='../keep')),
        dict(text_cfg=dict(hf_tokenizer_name=3)),
        dict(text_cfg=dict(tokenizer_kwargs=[['bpe_path', '/etc/passwd']])),
        dict(vision_cfg=[]),
        dict(embed_dim='x'),
    ],
    ids=str,
)
def test_architectures(ground, change):
    config = dict(TINY, **change)
    for key in ('vision_cfg', 'text_cfg'):
        if isinstance(config[key], dict):
            config[key] = {**TINY[key], **config[key]}
    (ground.files / 't').mkdir()
    _program_of_tokenizer(ground.files / 't', ground)
    (ground.files / 'a.json').write_text(json.dumps(config))
    refused(lambda: load_clip(str(ground.files / 'a.json')).tokenizer)


def _program_of_tokenizer(folder: Path, ground: Ground) -> None:
    code = f"open({str(ground.mark)!r}, 'w')\n"
    (folder / 'code.py').write_text(code + 'class T:\n    pass\n')
    auto = dict(auto_map=dict(AutoTokenizer=['code.T', None]), tokenizer_class='T')
    (folder / 'tokenizer_config.json').write_text(json.dumps(auto))


@pytest.mark.parametrize(
    'content',
    [
        dict(model_type='strange', auto_map=AUTO),
        dict(model_type='gpt2', n_embd=8, n_head=2, n_layer=1, auto_map=AUTO),
        dict(model_type='gpt2', attn_implementation='stranger/kernel'),
        dict(model_type='gpt2', custom_code='code.py', n_embd='x'),
        [],
        dict(model_type=3),
    ],
    ids=str,
)  # fmt: skip
def test_language_models(ground, content):
    code = f"open({str(ground.mark)!r}, 'w')\n"
    (ground.files / 'code.py').write_text(code + 'class C: pass\nclass M: pass\n')
    _program_of_tokenizer(ground.files, ground)
    (ground.files / 'config.json').write_text(json.dumps(content))
    weights = {'transformer.wte.weight': Runs(open, str(ground.mark), 'w')}
    torch.save(weights, ground.files / 'pytorch_model.bin')
    refused(load_llm, str(ground.files))
    refused(load_llm, str(ground.files), random_weights=True)


def test_adapters(ground):
    adapter = dict(base_model_name_or_path=str(ground.keep))
    (ground.files / 'adapter_config.json').write_text(json.dumps(adapter))
    assert 'adapter' in refused(load_llm, str(ground.files))


# --- banks, labels, caches -----------------------------------------------------------------------


def bank_with(folder: Path, change: Any, labels: str = '["a dog"]', **tensors: Any) -> Path:
    """A bank whose checksums are right, with a chunk of given labels."""
    folder.mkdir(exist_ok=True)
    data = save(
        tensors or dict(embeddings=torch.zeros(1, 4)), metadata=None if labels is None else
        dict(labels=labels)
    )  # fmt: skip
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    (folder / 'chunk.safetensors').write_bytes(data)
    entry = dict(file='chunk.safetensors', labels=1, bytes=len(data), checksum=digest)
    encoder = dict(type='X', fingerprint='f', settings={}, embed_dim=4, unit_length=True)
    content = dict(format='ovmlv label bank 1', encoder=encoder, num_labels=1, chunks=[entry])
    change(content)
    text = json.dumps(content, sort_keys=True)
    checksum = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    (folder / 'bank.json').write_text(json.dumps(dict(content, checksum=checksum)))
    return folder


@pytest.mark.parametrize(
    'change',
    [
        lambda c: c['chunks'][0].update(file='../chunk.safetensors'),
        lambda c: c['chunks'][0].update(file='/etc/passwd'),
        lambda c: c['chunks'][0].update(file=3),
        lambda c: c['chunks'][0].pop('bytes'),
        lambda c: c['chunks'][0].update(labels='1'),
        lambda c: c.update(chunks=dict(a=1)),
        lambda c: c.update(chunks=[3]),
        lambda c: c.update(encoder=[]),
        lambda c: c['encoder'].pop('type'),
        lambda c: c['encoder'].update(settings=3),
        lambda c: c['encoder'].update(embed_dim=10**12),
        lambda c: c['encoder'].update(embed_dim='4'),
        lambda c: c['encoder'].update(embed_dim=-4),
        lambda c: c.update(format=[1]),
    ],
)
def test_malformed_banks(ground, change):
    """FAULTS B6."""
    assert LabelBank.load(bank_with(ground.files / 'bank', lambda c: None)).labels == ('a dog',)
    refused(LabelBank.load, bank_with(ground.files / 'bank', change))


@pytest.mark.parametrize(
    'labels',
    ['[3]', '[null]', '[true]', '[["a"]]', '{"a": 1}', '"a"', '[""]', '["\\ud800"]', '[' * 100000,
     '', '["a", "b"]', None],
)  # fmt: skip
def test_labels_of_banks_are_texts(ground, labels):
    """FAULTS B6: integer labels were accepted."""
    refused(LabelBank.load, bank_with(ground.files / 'bank', lambda c: None, labels))


@pytest.mark.parametrize(
    'tensors',
    [
        dict(embeddings=torch.zeros(1, 4, dtype=torch.int64)),
        dict(embeddings=torch.zeros(4)),
        dict(embeddings=torch.zeros(1, 5)),
        dict(embeddings=torch.full((1, 4), float('nan'))),
        dict(other=torch.zeros(1, 4)),
    ],
)
def test_embeddings_of_banks_are_numbers(ground, tensors):
    refused(LabelBank.load, bank_with(ground.files / 'bank', lambda c: None, **tensors))


def label_files(folder: Path, content: dict | None = None, **arrays: Any) -> Path:
    values = dict(
        embeddings=np.zeros((1, 4), np.float32),
        label_bias=np.zeros(1, np.float32),
        scale=np.float32(1),
        bias=np.float32(0),
    )
    with open(folder / 'labels.npz', 'wb') as file:
        np.savez(file, **{**values, **arrays})
    digest = hashlib.sha256((folder / 'labels.npz').read_bytes()).hexdigest()
    whole = dict(labels=['a dog'], fingerprint='f', template=None, sha256=digest)
    (folder / 'labels.json').write_text(json.dumps({**whole, **(content or {})}))
    return folder / 'labels'


@pytest.mark.parametrize(
    'content',
    [dict(labels=[3]), dict(labels='a'), dict(labels={}), dict(labels=['']), dict(fingerprint=3),
     dict(labels=[]), dict(sha256=None), dict(labels=['a', 'a'])],
)  # fmt: skip
def test_malformed_label_files(ground, content):
    """FAULTS B6."""
    assert LabelSet.load(label_files(ground.files)).labels == ('a dog',)
    refused(LabelSet.load, label_files(ground.files, content))


def test_arrays_with_objects(ground):
    evil = np.array([Runs(open, str(ground.mark), 'w')], dtype=object)
    for name in ('embeddings', 'scale', 'label_bias'):
        refused(LabelSet.load, label_files(ground.files, **{name: evil}))
    for wrong in (np.zeros((1, 4)), np.full((1, 4), np.nan, np.float32), np.zeros(4, np.float32)):
        refused(LabelSet.load, label_files(ground.files, embeddings=wrong))
    np.savez_compressed(ground.files / 'labels.npz', embeddings=np.zeros((1, 10**7), np.float32))
    digest = hashlib.sha256((ground.files / 'labels.npz').read_bytes()).hexdigest()
    (ground.files / 'labels.json').write_text(
        json.dumps(dict(labels=['a'], fingerprint='f', sha256=digest))
    )
    assert 'larger than the file' in refused(LabelSet.load, ground.files / 'labels')


def test_caches_of_frozen_tokens(ground):
    """What is no cache entry is computed anew, and nothing of it runs."""
    cache = PrefixCache(0, ground.files, 'owner')
    video, wanted = torch.zeros(1, 3, 2, 4, 4), torch.ones(2, 3)
    assert torch.equal(cache(video, lambda videos: (wanted,))[0], wanted)
    path = next(ground.files.rglob('*.safetensors'))
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    for content in (pickle.dumps(Runs(open, str(ground.mark), 'w')), b'', b'\xff' * 8 + b'{' * 9):
        path.write_bytes(content)
        assert torch.equal(cache(video, lambda videos: (wanted,))[0], wanted)
    save_file({'strange': torch.zeros(2, 3)}, path)
    assert torch.equal(cache(video, lambda videos: (wanted,))[0], wanted)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_published_obeys_the_umask(published):
    """FAULTS D14."""
    for path in [published, *published.rglob('*')]:
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~_umask(), path
