"""Baselines and ablations: each trains one step, or is tested, on real MotionShapes videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ovmlv.datasets.motionshapes.generate import generate
from ovmlv.datasets.toybox.generate import generate as generate_toybox
from ovmlv.utils import register_all_modules
from tests.test_configs import CONFIGS, load, tiny_model

SPLITS = ('train.jsonl', 'val.jsonl', 'test.jsonl')
VIDEO, TIME, TEXT = 'backbone.visual', 'backbone.temporal', 'head'
#: What trains beside the scorer's scale and bias.
TRAINS = {
    'baselines/actionclip': {VIDEO, TIME},
    'baselines/asymmetric_loss': {TIME, TEXT},
    'baselines/coop': {TEXT},
    'baselines/dualcoop': {TEXT},
    'baselines/frame_probe': {TIME},
    'baselines/froster': {VIDEO, 'criterion'},
    'baselines/linear_probe': {TEXT},
    'baselines/llm_description': None,
    'baselines/llm_neighbors': None,
    'baselines/open_vclip': {VIDEO},
    'baselines/taco': {VIDEO, TIME},
    'baselines/two_way_loss': {TIME, TEXT},
    'baselines/vifi_clip': {VIDEO},
    'baselines/vlm_tagger': set(),
    'baselines/xclip': {VIDEO, TIME},
    'baselines/zeroshot_ensemble': None,
    'ablations/finetuned': {VIDEO, TIME, TEXT},
    'ablations/finetuned_last_block': {VIDEO, TIME, TEXT},
    'ablations/generate_readout': {TIME, TEXT},
    'ablations/prefix_readout': {TIME, TEXT},
    'ablations/random_llm': {TIME, TEXT},
    'ablations/sequence_readout': {TIME, TEXT},
    'ablations/static_readout': {TIME, TEXT},
    'ablations/suffix_readout': {TIME, TEXT},
    'ablations/with_interpolation': {TIME, TEXT},
    'ablations/with_patching': {TIME, TEXT},
    'ablations/with_text_distill': {TIME, TEXT},
    'ablations/without_gate': {TIME, TEXT},
    'ablations/without_label_bias': {TIME, TEXT},
    'ablations/without_label_noise': {TIME, TEXT},
    'ablations/without_llm_coop': {TIME, TEXT},
    'ablations/without_llm_neighbors': {TIME},
    'ablations/without_llm_template': {TIME},
    'ablations/without_regularizers': {TIME, TEXT},
    'ablations/without_temporal': {TEXT},
    'ablations/without_video_distill': {TIME, TEXT},
}
FOLDERS = ('baselines', 'ablations')
PATHS = sorted(p for folder in FOLDERS for p in CONFIGS.glob(f'{folder}/*_motionshapes.py'))


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS)).removesuffix('_motionshapes.py')


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('motionshapes')
    generate(root, dict(train=2, val=1, test=2), num_frames=8, num_workers=1)
    # Labels of these videos and a few more: hundreds take most of a step.
    file = root / 'annotations' / 'classes.json'
    labels = json.loads(file.read_text())
    rows = [json.loads(line) for s in SPLITS for line in (file.parent / s).read_text().splitlines()]
    used = {label for row in rows for label in row['labels']} | set(list(labels)[::60])
    file.write_text(json.dumps({label: labels[label] for label in labels if label in used}))
    return root


def small(cfg: Config, data: Path, work: Path) -> Config:
    """The config on two videos, with a random LLM where it has a real one."""
    cfg.model = tiny_model(cfg)
    head = cfg.model.get('head') or {}
    if 'cache_file' not in head and head.get('type') == 'LLMDescriptionHead':
        cfg.model.head.update(cache_file=str(work / 'sentences.json'), max_new_tokens=1)
    for loader in ('train_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            cfg[loader].update(batch_size=2, num_workers=0, persistent_workers=False)
            cfg[loader].dataset.update(data_root=str(data), serialize_data=False)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if cfg.get('train_dataloader'):
        cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    if cfg.model.type == 'VisionLanguageTagger':
        cfg.model.labels_per_step = 4
    cfg.work_dir, cfg.experiment_name = str(work), f'{work.parent.name}_{work.name}'
    cfg.log_level = 'ERROR'
    cfg.default_hooks.checkpoint.interval = -1
    return cfg


def test_all_are_listed():
    assert {name_of(path) for path in PATHS} == set(TRAINS)


def test_every_ablation_differs_from_the_full_method():
    """One that changes nothing, after the full method changed, would be a row without meaning."""
    full = load(CONFIGS / 'ovmlv_motionshapes.py').to_dict()
    for path in PATHS:
        if path.stem != 'static_readout_motionshapes':  # the full method's own, named
            cfg = load(path).to_dict()
            parts = ('model', 'custom_hooks')
            assert any(cfg.get(key) != full.get(key) for key in parts), path.stem


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_one_step(path, data, tmp_path, monkeypatch):
    # mmengine formats the config five times a run, which takes longer than the run.
    monkeypatch.setattr(Config, 'pretty_text', property(repr))
    register_all_modules(init_default_scope=False)
    cfg = small(load(path), data, tmp_path / path.stem)
    trains = TRAINS[name_of(path)]
    with DefaultScope.overwrite_default_scope('ovmlv'):
        runner = Runner.from_cfg(cfg)
        model = runner.model
        if trains is None:
            assert runner.test()['multilabel/num_samples'] == 2
            assert not [n for n, p in model.backbone.named_parameters() if p.requires_grad]
            return
        before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        runner.train()
    assert runner.iter == 1
    scalars = runner.message_hub.log_scalars
    assert all(h.current() == h.current() for h in scalars.values()), 'a loss is not a number'
    after = dict(model.named_parameters())
    assert all(p.isfinite().all() for p in after.values())
    moved = {n for n, start in before.items() if not torch.equal(after[n], start)}
    groups = (VIDEO, TIME, TEXT, 'criterion', 'scorer')
    assert all(name.startswith(groups) for name in before)
    for group in groups:
        trainable = any(name.startswith(group) for name in before)
        assert trainable == (group in trains | {'scorer'}), group
        assert any(name.startswith(group) for name in moved) == trainable, group
    if 'interpolation' in cfg.model and cfg.model.interpolation:
        assert scalars['train/loss_interpolated'].current() > 0


#: What trains beside the scorer in the configs of Toybox.
TOYBOX = {
    'ovmlv': {TIME, TEXT},
    'baselines/llm_neighbors': None,
    'ablations/without_memory': {TIME, TEXT},
}


@pytest.fixture(scope='module')
def toybox(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('toybox')
    generate_toybox(root, dict(train=4, test_held_out=2), {}, num_workers=1)
    file = root / 'annotations' / 'classes.json'
    labels = json.loads(file.read_text())
    names = ('train.jsonl', 'test_held_out.jsonl')
    rows = [json.loads(line) for s in names for line in (file.parent / s).read_text().splitlines()]
    used = {label for row in rows for label in (*row['labels'], *row['unknown'])}
    used |= set(list(labels)[::60])
    file.write_text(json.dumps({label: labels[label] for label in labels if label in used}))
    return root


@pytest.mark.parametrize('name', TOYBOX)
def test_one_step_on_toybox(name, toybox, tmp_path, monkeypatch):
    """Frames are made smaller, labels are weighed, and the memory knows the labels of the data."""
    monkeypatch.setattr(Config, 'pretty_text', property(repr))
    register_all_modules(init_default_scope=False)
    cfg = load(CONFIGS / f'{name}_toybox.py')
    if cfg.train_dataloader:
        cfg.train_dataloader.dataset.pipeline[0].folder = str(tmp_path / 'cache')
    cfg = small(cfg, toybox, tmp_path / 'run')
    for part in (cfg.model.backbone, cfg.model.head):
        part.update(model_name='toybox', pretrained='toybox')
    words = cfg.model.head if name == 'baselines/llm_neighbors' else cfg.model.head.memory
    if words:
        words.update(
            known_words=str(toybox / 'annotations' / 'classes.json'), known_splits=['seen']
        )
    with DefaultScope.overwrite_default_scope('ovmlv'):
        runner = Runner.from_cfg(cfg)
        model = runner.model
        if TOYBOX[name] is None:
            assert runner.test()['multilabel/num_samples'] == 2
            return
        before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        runner.train()
    after = dict(model.named_parameters())
    moved = {n for n, start in before.items() if not torch.equal(after[n], start)}
    for group in (VIDEO, TIME, TEXT):
        assert any(n.startswith(group) for n in moved) == (group in TOYBOX[name]), group
    weight = model.criterion.label_weight
    assert len(weight) == len(model.vocabulary.labels)
