"""What --cfg-options change, and what they may not pretend to change."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import TensorDataset

from ovmlv.apis import init_recognizer
from ovmlv.errors import ConfigError
from ovmlv.utils.config_variables import is_read, places_of
from ovmlv.utils.configs import load_config, refuse_mistakes

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
MOTIONSHAPES = str(CONFIGS / 'ovmlv_motionshapes.py')

BASE = """
max_epochs = 50
clip_len = 8
data_root = 'data/x'
unused = 3
steps = [dict(type='SampleSegmentFrames', clip_len=clip_len)]
common = dict(type='ToySet', data_root=data_root)
train_dataloader = dict(
    batch_size=2, num_workers=2, persistent_workers=True, prefetch_factor=4,
    dataset=dict(**common, ann_file=f'{data_root}/train.txt', pipeline=steps),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', end=5), dict(type='CosineAnnealingLR', T_max=max_epochs - 5)
]
"""
CHILD = """
_base_ = 'base.py'
rate = 0.1
optim_wrapper = dict(optimizer=dict(type='SGD'))
optim_wrapper['optimizer']['lr'] = rate
val_interval = {{_base_.max_epochs}}
val_cfg = dict(start=_base_.clip_len)
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'child.py').write_text(CHILD)
    return str(tmp_path / 'child.py')


@pytest.mark.parametrize(
    ('option', 'places'),
    [
        ('max_epochs', ['train_cfg.max_epochs', 'param_scheduler.1.T_max']),
        ('clip_len', ['train_dataloader.dataset.pipeline.0.clip_len', 'val_cfg.start']),
        ('data_root', ['train_dataloader.dataset.data_root', 'train_dataloader.dataset.ann_file']),
        ('common.data_root', ['train_dataloader.dataset.data_root']),
        ('steps.0.clip_len', ['train_dataloader.dataset.pipeline.0.clip_len']),
        ('rate', ['optim_wrapper.optimizer.lr']),
    ],
)
def test_a_variable_names_what_to_set(config, option, places):
    """FAULTS D7: a change of an intermediate variable did nothing, silently."""
    with pytest.raises(ConfigError, match=f'{option}.* nothing reads') as caught:
        load_config(config, {option: 1})
    assert all(place in str(caught.value) for place in places), caught.value
    assert sorted(places_of(Config.fromfile(config), option)) == sorted(places)
    # What is named has the effect.
    cfg = load_config(config, dict.fromkeys(places, 1))
    value = cfg
    for key in places[0].split('.'):
        value = value[int(key) if key.isdigit() else key]
    assert value == 1


def test_names_that_are_used_nowhere(config, tmp_path):
    """FAULTS D7"""
    with pytest.raises(ConfigError, match='unused .*read by nothing'):
        load_config(config, dict(unused=1))
    # Code of the user's may read it from runner.cfg.
    (tmp_path / 'own.py').write_text(CHILD + "custom_imports = dict(imports=['os'])\n")
    assert load_config(str(tmp_path / 'own.py'), dict(unused=1)).unused == 1


def test_hints_propose_only_what_has_an_effect(config):
    """FAULTS D7: the hint proposed the variables themselves."""
    with pytest.raises(ConfigError, match=r'did you mean train_cfg.max_epochs or') as caught:
        load_config(config, dict(max_epoch=1))
    assert 'mean max_epochs' not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_config(config, dict(unusd=1))
    assert 'did you mean' not in str(caught.value)
    with pytest.raises(ConfigError, match='did you mean train_cfg'):
        load_config(config, dict(train_cgf=1))


def test_a_config_of_new_style(tmp_path):
    """FAULTS D7: also where names are imported from the base."""
    (tmp_path / 'base.py').write_text(
        'from mmengine.runner import EpochBasedTrainLoop\nmax_epochs = 50\n'
        'train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=max_epochs)\n'
    )
    text = 'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
    (tmp_path / 'child.py').write_text(text)
    with pytest.raises(ConfigError, match=r'set train_cfg.max_epochs'):
        load_config(str(tmp_path / 'child.py'), dict(max_epochs=1))


@pytest.mark.parametrize('path', sorted(map(str, CONFIGS.glob('*.py'))), ids=lambda p: Path(p).stem)
def test_every_variable_of_the_shipped_configs_ends_somewhere(path):
    """FAULTS D7: what nothing reads has a place to set instead."""
    cfg = load_config(path)
    for key in cfg:
        if not is_read(cfg, key):
            for place in places_of(cfg, key):
                assert is_read(cfg, place.split('.')[0]), (key, place)


def test_variables_of_motionshapes():
    """FAULTS D7"""
    with pytest.raises(ConfigError, match=r'set \S*dataset.pipeline.0.transforms.1.clip_len'):
        load_config(MOTIONSHAPES, dict(clip_len=4))
    with pytest.raises(ConfigError, match='test_pipeline .*nothing reads'):
        load_config(MOTIONSHAPES, {'test_pipeline.1.clip_len': 4})
    with pytest.raises(ConfigError, match='nothing reads'):
        init_recognizer(Config.fromfile(MOTIONSHAPES), cfg_options=dict(clip_len=4))


@pytest.mark.parametrize('by', ['config', 'options'])
def test_no_workers(config, tmp_path, by):
    """FAULTS D6: ``num_workers=0`` met persistent_workers and prefetch_factor."""
    if by == 'config':
        Path(config).write_text(CHILD + 'train_dataloader = dict(num_workers=0)\n')
        cfg = load_config(config)
    else:
        cfg = load_config(config, {'train_dataloader.num_workers': 0})
    loader = dict(cfg.train_dataloader, dataset=TensorDataset(torch.arange(4)))
    assert len(list(Runner.build_dataloader(loader))) == 2
    kept = load_config(config, {'train_dataloader.num_workers': 1}).train_dataloader
    assert kept.persistent_workers and kept.prefetch_factor == 4


def test_every_shipped_loader_without_workers():
    """FAULTS D6"""
    for path in CONFIGS.glob('*.py'):
        cfg = load_config(str(path))
        names = [key for key in cfg if key.endswith('_dataloader') and cfg[key]]
        cfg = load_config(str(path), {f'{name}.num_workers': 0 for name in names})
        assert not any('persistent_workers' in cfg[name] for name in names)


def test_misspelt_settings_of_a_loader():
    with pytest.raises(
        ConfigError, match='train_dataloader.num_worker: .* did you mean num_workers'
    ):
        refuse_mistakes(load_config(MOTIONSHAPES, {'train_dataloader.num_worker': 0}), MOTIONSHAPES)
