"""Every config under configs/: loads, names only what exists, and builds what needs no download."""

from __future__ import annotations

import ast
import copy
import functools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, PARAM_SCHEDULERS, DefaultScope
from torch import nn

from ovmlv.registry import DATASETS, METRICS, MODELS
from ovmlv.utils import register_all_modules
from ovmlv.utils.config_check import check_config
from ovmlv.utils.configs import leave_amp_to_gpus
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS as TINY_DUALS
from tests.tiny_vlms import tiny_vlm

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / 'configs'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# A random LLM of the same interface; the real ones are downloads or take seconds to read.
TINY_LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=4, n_head=2, n_positions=128))


@functools.cache
def _parsed(path: Path) -> Config:
    return Config.fromfile(path)


def load(path: Path) -> Config:
    """A config of its own each time; reading the files takes most of the time of a small test."""
    return copy.deepcopy(_parsed(path))


def whole_configs() -> list[Path]:
    return sorted(p for p in CONFIGS.rglob('*.py') if '_base_' not in p.parts)


def bases_of(path: Path) -> list[str]:
    """What a config file names as its ``_base_``."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            found = ast.literal_eval(node.value)
            return [found] if isinstance(found, str) else found
    return []


def custom_keys(cfg: Config) -> set[str]:
    """Patterns of parameters with a learning rate or decay of their own."""
    return set((cfg.optim_wrapper.get('paramwise_cfg') or {}).get('custom_keys', {}))


def bases() -> list[Path]:
    return sorted(p for p in CONFIGS.rglob('*.py') if '_base_' in p.parts)


def named(paths: list[Path]) -> Any:
    return pytest.mark.parametrize(
        'path', paths, ids=[str(p.relative_to(CONFIGS).with_suffix('')) for p in paths]
    )


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('ovmlv'):
        yield


def training_configs() -> list[Path]:
    """Those that train; the others test what their pretrained parts know."""
    return [p for p in whole_configs() if _parsed(p).get('train_dataloader')]


def built(model: dict) -> nn.Module:
    """The model; configs that differ in their data alone share it, and no test changes it."""
    return _built(json.dumps(model, sort_keys=True))


@functools.lru_cache(maxsize=32)
def _built(model: str) -> nn.Module:
    return MODELS.build(json.loads(model))


def tiny_model(cfg: Config) -> dict:
    """The model of a config on the shipped tiny CLIP and a random LLM, all else as it stands."""
    model = copy.deepcopy(cfg.model.to_dict())
    if model['type'] == 'VisionLanguageTagger':
        return dict(model, vlm=tiny_vlm(), vlm_dtype='float32')
    for part in ('backbone', 'head'):
        name = model[part].get('model_name')
        if isinstance(name, str) and name.startswith('transformers:'):
            family = next(f for f in TINY_DUALS if f.split('_')[0] in name)
            model[part].update(model_name=TINY_DUALS[family], pretrained=None)
        elif isinstance(name, str):
            model[part].update(model_name='motionshapes', pretrained='motionshapes')
    if model['backbone']['type'] == 'FeatureBackbone':
        model['backbone']['embed_dim'] = 128
    if 'llm' in model['head']:
        model['head'].update(llm=TINY_LLM)
        memory = model['head'] if 'known_words' in model['head'] else model['head'].get('memory')
        if memory:  # its words are in the data's folder
            memory.update(known_words=['a', 'b'], known_splits=None, num_neighbors=2)
        if model['head']['type'] == 'LLMNeighborHead':
            model['head']['readout'] = dict(layer=2)
        if model['head']['type'] == 'LLMPromptHead':
            model['head'].update(llm_dtype='float32')
        readout = model['head'].get('readout') or {}
        if readout.get('layer') is not None:
            readout['layer'] = 2
    temporal = model['backbone'].get('temporal') or {}
    if 'width_ratio' in temporal:  # the tiny tower has 128 channels rather than 768
        temporal['num_heads'] = 1
    return model


@named([p for p in whole_configs() if p.parent.name == 'dual_encoders'])
def test_dual_encoders_are_pinned_and_get_their_frames(path):
    """Both sides are of one model of the hub, and the pipeline gives as many frames as it takes."""
    cfg = load(path)
    backbone, head = cfg.model.backbone, cfg.model.head
    assert backbone.model_name == head.model_name
    assert backbone.get('pretrained') == head.get('pretrained')
    steps = {step['type']: step for step in cfg.test_dataloader.dataset.pipeline}
    assert steps['SampleSegmentFrames']['clip_len'] == backbone.num_frames
    if isinstance(backbone.model_name, str):
        assert re.fullmatch(r'transformers:[\w\-]+/[\w.\-]+(@[0-9a-f]{40})?', backbone.model_name)
        assert backbone.pretrained == backbone.model_name


def test_there_are_configs():
    names = {p.stem for p in whole_configs()}
    assert {'ovmlv_charades', 'ovmlv_motionshapes'} <= names
    assert len(names) == len(whole_configs()), 'mim finds configs by their name alone'


@named(whole_configs())
def test_loads_and_is_free_of_mistakes(path):
    cfg = load(path)
    assert [str(mistake) for mistake in check_config(cfg)] == []
    assert cfg.default_scope == 'ovmlv'
    for key in ('model', 'test_dataloader', 'test_cfg', 'test_evaluator'):
        assert cfg.get(key), f'{key} is missing'


@named(training_configs())
def test_what_training_needs_is_there(path):
    cfg = load(path)
    assert cfg.auto_scale_lr.base_batch_size > 0 and cfg.auto_scale_lr.enable is False
    assert cfg.randomness.seed is not None, 'figures of a config are to be repeatable'
    for key in ('train_cfg', 'val_dataloader', 'val_cfg', 'val_evaluator', 'optim_wrapper'):
        assert cfg.get(key), f'{key} is missing'


def inheritance(path: Path) -> int:
    """How many levels of ``_base_`` a config has below it."""
    return max((1 + inheritance(path.parent / base) for base in bases_of(path)), default=0)


@named([*whole_configs(), *bases()])
def test_names_style_and_inheritance(path):
    assert re.fullmatch(r'[a-z][a-z0-9_]*', path.stem), 'underscores only: both styles can name it'
    nodes = ast.walk(ast.parse(path.read_text()))
    assert not any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in nodes), 'text style only'
    assert inheritance(path) <= 2, 'a reader follows two levels, no more'


@named(whole_configs())
def test_every_name_is_ours_or_prefixed(path):
    """A type without a prefix is of ovmlv or mmengine; others say where they come from.

    mmengine's Runner looks a ``collate_fn`` up in no scope, so that it needs a prefix in any case.
    """

    def walk(value: Any, others: tuple[str, ...] = ()) -> None:
        if isinstance(value, dict):
            kind = value.get('type')
            if isinstance(kind, str) and '.' in kind:
                assert kind.split('.')[0] in ('mmaction', 'mmengine', 'torchvision', *others), kind
            for key, item in value.items():
                walk(item, ('ovmlv',) if key == 'collate_fn' else ())
        elif isinstance(value, (list, tuple)):
            for item in value:
                walk(item)

    walk(load(path).to_dict())


@named(whole_configs())
def test_builds_what_needs_no_data(path):
    cfg = load(path)
    built(tiny_model(cfg))
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        HOOKS.build(dict(hook))
    for name in LOADERS:
        if cfg.get(name):
            DATASETS.build({**cfg[name].dataset, 'lazy_init': True})  # with its transforms
    for name in ('val_evaluator', 'test_evaluator'):
        if cfg.get(name):
            METRICS.build(dict(cfg[name]))


@named(training_configs())
def test_optimizer_holds_every_trainable_parameter(path):
    cfg = load(path)
    model = built(tiny_model(cfg))
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not torch.cuda.is_available():
        leave_amp_to_gpus(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    held = {id(p) for group in wrapper.param_groups for p in group['params']}
    assert trainable and {id(p) for p in trainable.values()} <= held
    # A custom key that matches no parameter silently does nothing. One that a config inherits from
    # another whole one may be for a part that it leaves out.
    inherited = [path.parent / base for base in bases_of(path) if '_base_/' not in base]
    for key in custom_keys(cfg) - {key for base in inherited for key in custom_keys(load(base))}:
        assert any(key in name for name in trainable), f'custom_keys: {key} matches nothing'
    for scheduler in cfg.param_scheduler:
        scheduler = {k: v for k, v in scheduler.items() if k != 'convert_to_iter_based'}
        PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=wrapper))


@named(training_configs())
def test_best_checkpoint_is_chosen_by_a_metric_that_exists(path):
    """``save_best`` of an unknown key fails only after the first epoch."""
    cfg = load(path)
    key = cfg.default_hooks.checkpoint.get('save_best')
    if key is None:
        pytest.skip('keeps no best checkpoint')
    metric = METRICS.build(dict(cfg.val_evaluator))
    attributes = dict(split=['seen', 'unseen'])
    metric.dataset_meta = dict(classes=['a', 'b'], class_attributes=attributes)
    sample = dict(pred_score=torch.rand(2), gt_label=torch.tensor([1, 0]), filename='x')
    metric.process(None, [dict(sample, sample_idx=i, filename=f'{i}') for i in range(4)])
    assert key in metric.evaluate(4)


def trained_parts(path: Path) -> set[str]:
    """What trains by a config, as parts of the model."""
    model = built(tiny_model(load(path)))
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    return {'.'.join(name.split('.')[:2]) for name in names}


def real_configs() -> list[Path]:
    """Configs of real data sets that train the whole method on videos."""
    configs = [*CONFIGS.glob('*.py'), *CONFIGS.glob('[co]*/*.py')]
    configs = [p for p in configs if p in training_configs() and 'motionshapes' not in p.stem]
    return [p for p in configs if _parsed(p).model.backbone.type == 'TemporalCLIPBackbone']


FIGURE = {'backbone.temporal', 'head.readout', 'head.prompter', 'scorer.log_scale'}


def test_real_configs_train_what_the_figure_trains():
    """Prefixes, prompting transformer, temporal branch; the bias is ours."""
    assert len(real_configs()) > 20
    for path in real_configs():
        assert load(path).model.backbone.trainable == 'temporal', path
    assert trained_parts(CONFIGS / 'ovmlv_charades.py') == FIGURE | {'scorer.bias'}
    assert trained_parts(CONFIGS / 'ablations' / 'as_drawn_charades.py') == FIGURE
    finetuned = trained_parts(CONFIGS / 'ablations' / 'finetuned_charades.py')
    assert finetuned == FIGURE | {'scorer.bias', 'backbone.visual'}


def test_as_drawn_has_nothing_of_ours():
    model = load(CONFIGS / 'ablations' / 'as_drawn_charades.py').model
    assert model.head.readout.type == 'SequenceReadout' and model.head.readout.layer == -1
    assert model.head.num_groups == 1 and model.head.noise is None
    assert model.scorer.init_bias is None and not model.loss.text_distill
    assert model.loss.video_distill > 0


def test_charades_is_the_full_method():
    cfg = load(CONFIGS / 'ovmlv_charades.py')
    backbone, head, loss = cfg.model.backbone, cfg.model.head, cfg.model.loss
    assert (backbone.model_name, backbone.pretrained) == ('ViT-B-16', 'openai')
    assert head.pretrained == backbone.pretrained and head.model_name == backbone.model_name
    assert head.readout.type == 'PrefixReadout' and head.llm.name
    assert backbone.temporal.type == 'ParallelTemporalAttention' and backbone.num_frames == 16
    assert loss.video_distill > 0 and loss.text_distill > 0
    views = {t['type']: t for t in cfg.test_dataloader.dataset.pipeline}
    assert views['SampleSegmentFrames']['num_clips'] > 1
    for name in LOADERS:
        lengths = [t.get('clip_len', 16) for t in cfg[name].dataset.pipeline]
        assert set(lengths) == {16}
    assert cfg.test_evaluator.official_charades and cfg.val_evaluator.official_charades
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.dtype == 'bfloat16'


def test_pure_python_style(tmp_path):
    """The same names work in mmengine's other config style, with imports in place of strings."""
    path = tmp_path / 'python_style.py'
    path.write_text(
        'from mmaction.datasets.transforms import DecordDecode, DecordInit, FormatShape\n'
        'from mmengine.dataset import DefaultSampler\n'
        'from mmengine.optim import OptimWrapper\n'
        'from torch.optim import AdamW\n\n'
        'from ovmlv.datasets import MultilabelVideoDataset\n'
        'from ovmlv.datasets.transforms import PackMultilabelInputs, SampleSegmentFrames\n'
        'from ovmlv.engine.hooks import VocabularyHook\n'
        'from ovmlv.evaluation import MultilabelMetric\n'
        'from ovmlv.models.backbones import TemporalCLIPBackbone\n'
        'from ovmlv.models.heads import TemplatePromptHead\n'
        'from ovmlv.models.losses import RegularizedMultilabelLoss\n'
        'from ovmlv.models.recognizers import OpenVocabRecognizer\n\n'
        "clip = dict(model_name='motionshapes', pretrained='motionshapes')\n"
        'model = dict(\n'
        '    type=OpenVocabRecognizer,\n'
        '    backbone=dict(type=TemporalCLIPBackbone, **clip),\n'
        '    head=dict(type=TemplatePromptHead, **clip),\n'
        '    loss=dict(type=RegularizedMultilabelLoss, video_distill=1.0),\n'
        ')\n'
        'pipeline = [\n'
        '    dict(type=DecordInit), dict(type=SampleSegmentFrames, clip_len=8),\n'
        '    dict(type=DecordDecode), dict(type=FormatShape, input_format="NCTHW"),\n'
        '    dict(type=PackMultilabelInputs),\n'
        ']\n'
        'train_dataloader = dict(\n'
        '    batch_size=2, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=True),\n'
        '    dataset=dict(type=MultilabelVideoDataset, ann_file="a.jsonl", pipeline=pipeline),\n'
        ')\n'
        'val_evaluator = dict(type=MultilabelMetric)\n'
        'optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-3))\n'
        'custom_hooks = [dict(type=VocabularyHook)]\n'
        "default_scope = 'ovmlv'\n"
    )
    cfg = Config.fromfile(path)
    assert [str(mistake) for mistake in check_config(cfg)] == []
    model = MODELS.build(cfg.model)
    model.set_vocabulary(['circle', 'star'])
    assert model.encode_labels(['circle', 'star']).shape == (2, 128)
    DATASETS.build({**cfg.train_dataloader.dataset, 'lazy_init': True})
    cfg.merge_from_dict({'model.loss.video_distil': 1})
    assert 'did you mean video_distill' in str(check_config(cfg)[0])


def test_index_names_every_config():
    text = (CONFIGS / 'README.md').read_text()
    for path in whole_configs():
        assert path.name in text, f'configs/README.md does not mention {path.name}'
    for name in re.findall(r'\b[\w/]+\.(?:py|sh)\b', text):
        known = [CONFIGS / name, REPOSITORY / name, *CONFIGS.rglob(Path(name).name)]
        assert any(p.is_file() for p in known), f'configs/README.md names {name}'


def test_metafile_names_every_config():
    yaml = pytest.importorskip('yaml')
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())
    models, collections = [], set()
    for file in index['Import']:
        content = yaml.safe_load((REPOSITORY / file).read_text())
        models += content['Models']
        collections |= {c['Name'] for c in content['Collections']}
    assert all(m['In Collection'] in collections for m in models)
    assert {m['Config'] for m in models} == {
        str(p.relative_to(REPOSITORY)) for p in whole_configs()
    }
    assert all(Path(m['Config']).stem == m['Name'] for m in models)


def test_nothing_else_lies_among_configs():
    listed = subprocess.run(
        ['git', 'ls-files', 'configs'], cwd=REPOSITORY, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip('no git checkout')
    names = listed.stdout.split()
    assert {Path(name).suffix for name in names if '/splits/' not in name} <= {'.py', '.md', '.yml'}
    assert {Path(name).suffix for name in names if '/splits/' in name} <= {'.json'}
