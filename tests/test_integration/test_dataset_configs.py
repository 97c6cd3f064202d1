"""tools/train.py for one epoch on every data set's config, over a miniature of its layout.

Rows are invented, their format is the official one. A new data set needs a builder in
miniatures.py alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import traceback
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.registry import DATASETS
from ovmlv.utils import register_all_modules
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool
from tests.test_integration.miniatures import MINIATURES, Expected

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / 'configs'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# The shipped tiny CLIP, a random LLM, 4 frames of 64 pixels; all else as the config has it.
TINY = [
    *(
        f'model.{part}.{key}=motionshapes'
        for part in ('backbone', 'head')
        for key in ('model_name', 'pretrained')
    ),
    'model.backbone.num_frames=4',
    'model.backbone.temporal.num_heads=1',
    'model.head.llm.name=None',
    *(
        f'model.head.llm.config.{key}'
        for key in ('model_type=gpt2', 'n_embd=32', 'n_layer=2', 'n_head=2', 'n_positions=64')
    ),
    'model.head.prompter.width=32',
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=2',
    'val_dataloader.batch_size=2',
]


def tiny_pipelines(cfg: Config) -> list[str]:
    """Overrides for the transforms, wherever they stand in a pipeline."""
    options = []
    for loader in LOADERS:
        options += [f'{loader}.num_workers=0', f'{loader}.persistent_workers=False']
        for i, transform in enumerate(cfg[loader].dataset.pipeline):
            prefix = f'{loader}.dataset.pipeline.{i}'
            if 'clip_len' in transform:
                options.append(f'{prefix}.clip_len=4')
            if 'crop_size' in transform:
                options.append(f'{prefix}.crop_size=64')
            if 'scale' in transform:
                options.append(f'{prefix}.scale={_tiny_scale(loader, transform)}')
    return options


def _tiny_scale(loader: str, transform: dict) -> str:
    if not transform.get('keep_ratio', True):
        return '(64,64)'
    return '(-1,72)' if loader == 'train_dataloader' else '(-1,64)'


@pytest.fixture(scope='module')
def train():
    register_all_modules(init_default_scope=False)  # here once, not in every fork
    path = REPOSITORY / 'tools' / 'train.py'
    spec = importlib.util.spec_from_file_location('train_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tool, *args: object) -> int:
    """The exit status of a tool run in a fork of this process: its imports are done already."""
    child = os.fork()
    if child == 0:
        try:
            status = run_tool(tool.main, tool.parse_args([*map(str, args)]))
        except BaseException:
            traceback.print_exc()
            status = 1
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def options_for(name: str, root: Path) -> tuple[Expected, list[str]]:
    """Write the miniature; what it holds, and the overrides that point its config to it."""
    expected = MINIATURES[name](root)
    options = [
        *tiny_pipelines(Config.fromfile(CONFIGS / f'{name}.py')),
        *(f'{loader}.dataset.data_root={expected.root}' for loader in LOADERS),
        *expected.options,
    ]
    return expected, options


@pytest.mark.parametrize('name', sorted(MINIATURES))
def test_reads_and_decodes(train, tmp_path, name):
    expected, options = options_for(name, tmp_path)
    args = train.parse_args([str(CONFIGS / f'{name}.py'), '--cfg-options', *options])
    cfg = load_config(args.config, args.cfg_options)
    for loader, size in zip(LOADERS, (expected.train, expected.val, expected.val), strict=True):
        with DefaultScope.overwrite_default_scope('ovmlv'):
            dataset = DATASETS.build(
                dict(cfg[loader].dataset, on_error='raise', serialize_data=False)
            )
        classes = expected.classes
        if loader == 'train_dataloader':
            classes = expected.train_classes or classes
        assert len(dataset) == size and len(dataset.metainfo['classes']) == classes
        sample = dataset[size - 1]
        views = expected.views if loader == 'test_dataloader' else 1
        assert sample['inputs'].shape == (views, *expected.shape)
        assert sample['inputs'].max() > (50 if sample['inputs'].dtype == torch.uint8 else 0)
        assert sample['data_samples'].gt_label.shape == (classes,)


# Six to twelve seconds each; CI trains the one whose samples are the furthest from its files.
FAST = ('ovmlv_multithumos',)


@pytest.mark.parametrize(
    'name',
    [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in sorted(MINIATURES)],
)
def test_trains_an_epoch(train, tmp_path, name):
    expected, options = options_for(name, tmp_path)
    work = tmp_path / 'work'
    config = CONFIGS / f'{name}.py'
    tiny = [option for option in TINY if not option.startswith(expected.without)]
    status = run(train, config, '--work-dir', work, '--cfg-options', *tiny, *options)
    log = '\n'.join(path.read_text() for path in work.rglob('*.log'))
    assert status == 0, log[-3000:]
    prefix = expected.prefix
    assert 'cannot be read' not in log and 'num_broken: 0' in log
    assert 'Saving checkpoint at 1 epochs' in log and (work / 'epoch_1.pth').is_file()
    assert list(work.glob(f'best_{prefix}_*.pth'))
    (scalars,) = work.rglob('scalars.json')
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    size_key = f'{prefix}/{expected.size_key}'
    result = next(row for row in rows if size_key in row)
    assert result[size_key] == expected.val
    for key in expected.keys:
        assert 0 <= result[f'{prefix}/{key}'] <= 1, key


def test_every_miniature_has_its_config():
    assert all((CONFIGS / f'{name}.py').is_file() for name in MINIATURES)
