"""A suite of a tiny model on real videos: one row without training, one with."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def load_file(path):
    """Import a file that is in no package."""
    spec = importlib.util.spec_from_file_location(f'{path.stem}_file', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tiny = load_file(REPOSITORY / 'tests' / 'test_integration' / 'tiny.py')


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """Videos, a CLIP architecture, two configs and a suite."""
    root = tmp_path_factory.mktemp('benchmark')
    tiny.write_videos(root, count=8)
    split = dict(
        seen=tiny.LABELS[:2] + tiny.LABELS[3:4], unseen=tiny.LABELS[2:3], novel=tiny.LABELS[4:]
    )
    (root / 'split.json').write_text(json.dumps(split))
    clip = tiny.write_clip(root)
    labels = dict(label_split=str(root / 'split.json'), classes=None)
    model = tiny.model_config(
        clip,
        backbone=dict(temporal=dict(type='FrameTransformer', num_layers=1), trainable='temporal'),
        head=dict(type='TemplatePromptHead'),
    )
    common = dict(
        default_scope='ovmlv',
        custom_imports=dict(imports=['benchmark_parts']),
        model=model,
        test_dataloader=tiny.data_loader(root, test=True, **labels),
        test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type='MultilabelMetric'),
        default_hooks=dict(
            vocabulary=dict(type='VocabularyHook'),
            step_seed=dict(type='StepSeedHook'),
            checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
        ),
    )
    Config(common).dump(root / 'frozen.py')
    training = dict(
        train_dataloader=tiny.data_loader(root, test=False, label_set='seen', **labels),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=2e-3)),
        custom_hooks=[dict(type='PauseHook')],
    )
    Config({**common, **training}).dump(root / 'tuned.py')
    rows = [
        dict(name='zero_shot', title='zero-shot', group='not trained', config='frozen.py'),
        dict(name='tuned', group='trained', config='tuned.py'),
        dict(
            name='fast', config='tuned.py', options={'optim_wrapper.optimizer.lr': 0.1}, seeds=[0]
        ),
        dict(name='again', group='trained', config='tuned.py', after='tuned'),
    ]
    # Weights of CLIP are random here, so the seed decides on them too.
    suite = dict(name='tiny', rows=rows, reference='tuned', seeds=[0, 1])
    (root / 'suite.json').write_text(json.dumps(suite))
    return root
