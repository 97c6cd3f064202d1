"""print_config.py: prints what a config inherits; --check finds mistakes without building."""

import functools
import importlib.util
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from ovmlv.utils.config_check import check_config, nearest_names
from ovmlv.utils.error_door import run_tool

HERE = Path(__file__).parent
CONFIG = HERE / 'toy_config.py'
TOOL = HERE.parents[1] / 'tools' / 'analysis_tools' / 'print_config.py'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    spec = importlib.util.spec_from_file_location('print_config', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return Config.fromfile(CONFIG)


def found(cfg, **changes):
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return [str(mistake) for mistake in check_config(cfg)]


def test_prints_the_merged_config(tool, tmp_path, capsys):
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['{CONFIG}']\nmodel = dict(dropout=0.25)\n")
    saved = tmp_path / 'whole.py'
    args = tool.parse_args([str(child), '--cfg-options', 'model.dim=9', '--save', str(saved)])
    assert tool.main(args) == 0
    for text in (capsys.readouterr().out, saved.read_text()):
        assert 'dropout=0.25' in text and 'dim=9' in text and 'CosineAnnealingLR' in text


def test_check_lists_all_mistakes_at_once(tool, capsys):
    changes = [
        'model.type=ToyMdel',
        'train_dataloader.dataset.lenght=4',
        'train_dataloader.sampler.type=Defaultsampler',
        'val_evaluator.type=MultilabelMetrc',
        'optim_wrapper.optimizer.type=AdmW',
        'default_hooks.logger.intervall=3',
        'custom_hooks.0.type=StepSedHook',
    ]
    args = tool.parse_args([str(CONFIG), '--check', '--cfg-options', *changes])
    assert tool.main(args) == 1
    lines = capsys.readouterr().out.splitlines()
    for key, near in [
        ('model.type', 'ToyModel'),
        ('train_dataloader.dataset.lenght', 'did you mean length?'),
        ('train_dataloader.sampler.type', 'DefaultSampler'),
        ('val_evaluator.type', 'MultilabelMetric'),
        ('optim_wrapper.optimizer.type', 'AdamW'),
        ('default_hooks.logger.intervall', 'did you mean interval?'),
        ('custom_hooks[0].type', 'StepSeedHook'),
    ]:
        assert any(f' {key}: ' in line and near in line for line in lines), (key, lines)
    assert lines[-1].endswith(f'{len(changes)} mistakes')


def test_check_passes_what_is_right(tool, capsys):
    assert tool.main(tool.parse_args([str(CONFIG), '--check'])) == 0
    assert 'every type and keyword is known' in capsys.readouterr().out


def test_nothing_is_built(toy, monkeypatch):
    toy_parts = sys.modules['toy_parts']
    for name in ('ToyModel', 'ToyDataset', 'ToyMetric'):
        part = getattr(toy_parts, name)
        # wraps: the check still reads the true signature
        refuse = functools.wraps(part.__init__)(lambda *args, **kwargs: 1 / 0)
        monkeypatch.setattr(part, '__init__', refuse)
    assert found(toy) == []


@pytest.mark.parametrize(
    ('scope', 'count'), [('mmaction', 0), ('mmengine', 1)], ids=['right', 'wrong']
)
def test_scope_key_holds_for_the_subtree(toy, scope, count):
    node = dict(_scope_=scope, type='BaseModel', backbone=dict(type='ResNet3d', depth=50))
    toy.model = dict(type='ToyModel')
    toy.tta_model = dict(_scope_=scope, type='Recognizer3D', backbone=node['backbone'])
    mistakes = found(toy)
    assert len(mistakes) == 2 * count
    if count:
        assert all('nearest: mmaction.Res' in m or 'mmaction.Recognizer3D' in m for m in mistakes)


def test_prefix_does_not_reach_children(toy):
    """As in mmengine: mmaction.X(sub=dict(type='Y')) looks for Y in the default scope."""
    toy.tta_model = dict(type='mmaction.Recognizer3D', backbone=dict(type='ResNet3d', depth=50))
    (mistake,) = found(toy)
    assert mistake.startswith("tta_model.backbone.type: 'ResNet3d' is not in the registry MODELS")
    assert 'mmaction.ResNet3d' in mistake


def test_pipelines_and_nested_data_sets_are_walked(toy):
    inner = dict(
        type='MultilabelVideoDataset',
        ann_file='x.csv',
        pipeline=[dict(type='mmaction.DecordInit'), dict(type='mmaction.SampleFrame', clip_len=4)],
    )
    toy.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    (mistake,) = found(toy)
    assert mistake.startswith('train_dataloader.dataset.dataset.pipeline[1].type: ')
    assert 'mmaction.SampleFrames' in mistake


def test_plain_data_of_a_model_is_no_type(toy):
    toy.tta_model = dict(type='mmaction.ResNet3d', depth=50, norm_cfg=dict(type='linear', x=1))
    assert found(toy) == []


def test_misspelt_scope_is_named(toy):
    (mistake,) = found(toy, default_scope='ovmvl')
    assert 'there is no scope "ovmvl"' in mistake


def test_module_name_is_no_type(toy):
    (mistake,) = found(toy, model__type='this')  # mmengine would import the Zen of Python
    assert mistake.startswith('model.type')


def test_nearest_names_carry_the_prefix_they_need():
    assert nearest_names('DecordDecod', 'TRANSFORMS', 'ovmlv')[0] == 'mmaction.DecordDecode'
    assert nearest_names('DecordDecod', 'TRANSFORMS', 'mmaction')[0] == 'DecordDecode'
    assert (
        nearest_names('mmaction.DecordDecod', 'TRANSFORMS', 'ovmlv')[0] == 'mmaction.DecordDecode'
    )


def test_configs_of_the_package_by_name(tool, capsys):
    """FAULTS D15: the tools take the names that mmengine's hub takes."""
    assert run_tool(tool.main, tool.parse_args(['ovmlv::ovmlv_charades.py'])) == 0
    assert 'CharadesDataset' in capsys.readouterr().out
    assert run_tool(tool.main, tool.parse_args(['ovmlv::ovmlv_charade.py'])) != 0
    assert 'did you mean ovmlv::ovmlv_charades.py' in capsys.readouterr().err


def test_every_config_of_the_repository_is_clean(repository):
    configs = list((repository / 'configs').glob('*.py'))
    if not configs:
        pytest.skip('no configs')
    for path in configs:
        assert check_config(Config.fromfile(path)) == [], path


def test_pure_python_configs_are_checked(monkeypatch):
    """Their types are classes, so that only keywords can be wrong."""
    monkeypatch.syspath_prepend(str(HERE))
    cfg = Config.fromfile(HERE / 'toy_python.py')
    assert found(cfg) == []
    (mistake,) = found(cfg, model__dropuot=0.1)
    assert mistake == 'model.dropuot: ToyModel takes no "dropuot"; did you mean dropout?'


def test_part_of_another_registry_is_named(toy):
    (mistake,) = found(toy, train_dataloader__dataset__type='SampleFrames')
    assert 'mmaction.SampleFrames is in TRANSFORMS' in mistake
