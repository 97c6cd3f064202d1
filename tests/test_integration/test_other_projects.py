"""Single modules of ovmlv in other projects' configs, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_integration.tiny import write_clip

ROOT = Path(__file__).resolve().parents[2]

# Where PyPI's torchvision lies beside a CPU build of torch, mmengine's Runner does not even start;
# elsewhere this does nothing.
REPAIR = """
from ovmlv.compat import declare_torchvision_ops
declare_torchvision_ops()
"""

# A user's script whose config has no custom_imports.
PLAIN_RUNNER = """
import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import Runner

@MODELS.register_module()
class Classifier(BaseModel):
    def __init__(self, loss):
        super().__init__()
        self.fc = torch.nn.Linear(6, 4)
        self.criterion = MODELS.build(loss)

    def forward(self, x, y, mode):
        out = self.criterion(self.fc(x), y)
        return out if isinstance(out, dict) else dict(loss=out)

data = [(torch.randn(6), torch.randint(-1, 2, (4,))) for _ in range(8)]
runner = Runner(
    model=dict(type='Classifier', loss=LOSS),
    work_dir=WORK,
    train_dataloader=dict(dataset=data, batch_size=4, sampler=dict(type='DefaultSampler'),
                          collate_fn=dict(type='default_collate')),
    train_cfg=dict(by_epoch=True, max_epochs=2),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
)
before = runner.model.fc.weight.clone()
runner.train()
assert not torch.equal(before, runner.model.fc.weight)
print('trained with', type(runner.model.criterion).__name__)
"""

RECOGNIZER_3D = """
from ovmlv.compat import apply
apply()  # mmaction2 1.2.0 itself needs it under these versions
import torch
from mmengine.optim import OptimWrapper
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import register_all_modules
register_all_modules(init_default_scope=True)

model = MODELS.build(dict(
    type='Recognizer3D',
    backbone=dict(type='ovmlv.TemporalCLIPBackbone', model_name=CLIP, num_frames=4,
                  temporal=dict(type='ParallelTemporalAttention', blocks='last-1'), trainable=1),
    cls_head=dict(type='TimeSformerHead', num_classes=3, in_channels=24, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.7, 116.3, 103.5],
                           std=[58.4, 57.1, 57.4], format_shape='NCTHW'),
))
data = dict(
    inputs=[torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8) for _ in range(2)],
    data_samples=[ActionDataSample().set_gt_label(i) for i in range(2)],
)
before = {n: p.clone() for n, p in model.named_parameters() if p.requires_grad}
model.train()
log = model.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
assert log['loss'].isfinite()
moved = [n for n, p in model.named_parameters() if n in before and not torch.equal(p, before[n])]
assert any(n.startswith('backbone.visual') for n in moved), moved
assert any(n.startswith('backbone.temporal') for n in moved), moved
print('predicted', model.eval().test_step(data)[0].pred_score.shape)
"""


# What every loss of ovmlv must do in a head that knows nothing of it.
LOSSES = """
LOSSES = [dict(type='ovmlv.' + name) for name in (
    'MultilabelBCELoss', 'AsymmetricLoss', 'MultilabelFocalLoss', 'TwoWayLoss',
    'RegularizedMultilabelLoss',
)]
LOSSES += [
    dict(type='ovmlv.RegularizedMultilabelLoss', base=dict(type=name), loss_weight=0.5)
    for name in ('AsymmetricLoss', 'MultilabelFocalLoss', 'TwoWayLoss', FOREIGN)
]
LOSSES += [dict(type='ovmlv.MultilabelBCELoss', class_weight=[1.0, 2, 3, 4], loss_weight=2.0)]

def train(model, data):
    torch.manual_seed(0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.train()
    # So small a rate that thirty steps leave the features alive.
    log = model.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3)))
    assert log['loss'].shape == () and log['loss'].isfinite() and log['loss'] > 0, log
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert {n.split('.')[0] for n in moved} >= {'backbone'}, moved
    assert any(n.split('.')[0] in ('head', 'cls_head') for n in moved), moved
    return log['loss']
"""

MMPRETRAIN = """
from ovmlv.compat import apply
apply()
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from mmpretrain.utils import register_all_modules
register_all_modules(init_default_scope=True)

HEADS = [dict(type='MultiLabelLinearClsHead', num_classes=4, in_channels=512),
         dict(type='CSRAClsHead', num_classes=4, in_channels=512, num_heads=2, lam=0.1),
         dict(type='LinearClsHead', num_classes=4, in_channels=512)]
TARGETS = {
    'indices': [DataSample().set_gt_label(i) for i in ([0, 3], [1])],
    'soft': [DataSample().set_gt_score(torch.tensor(i))
             for i in ([0.9, 0, 0, 1], [0, 0.7, 0.3, 0])],
    'unknown': [DataSample().set_gt_score(torch.tensor(i))
                for i in ([1.0, -1, 0, 1], [0.0, 1, -1, 0])],
    'one': [DataSample().set_gt_label(i) for i in (2, 1)],
}
for head in HEADS:
    model = MODELS.build(dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18, stem_channels=8),
        neck=None if 'CSRA' in head['type'] else dict(type='GlobalAveragePooling'),
        head=dict(head, loss=LOSSES[0]),
        data_preprocessor=dict(num_classes=4),
    ))
    for loss in LOSSES:
        model.head = MODELS.build(dict(head, loss=loss))
        for kind in ('one',) if head['type'] == 'LinearClsHead' else ('indices', 'soft', 'unknown'):
            train(model, dict(inputs=torch.randint(0, 256, (2, 3, 32, 32)).float(),
                              data_samples=TARGETS[kind]))
        print('trained', head['type'], loss['type'], loss.get('base'))
"""

MMACTION = """
from ovmlv.compat import apply
apply()
import torch
from mmengine.optim import OptimWrapper
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import register_all_modules
register_all_modules(init_default_scope=True)

def samples(rows):
    return [ActionDataSample().set_gt_label(torch.tensor(row)) for row in rows]

ROWS = [[[1, 0, 1, 0], [0, 1, 0, 0]], [[1.0, -1, 0, 1], [0, 1, -1, 0]], [[0, 0.5, 1, 0]]]
FLAT = dict(backbone=dict(type='ResNet', depth=18, norm_eval=False),
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW'))
DEEP = dict(backbone=dict(type='ovmlv.TemporalCLIPBackbone', model_name=CLIP, num_frames=4,
                          trainable=1),
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'))
for kind in ('TSNHead', 'TimeSformerHead'):
    deep = kind == 'TimeSformerHead'
    head = dict(type=kind, num_classes=4, in_channels=24 if deep else 512, multi_class=True)
    model = MODELS.build(dict(type='Recognizer3D' if deep else 'Recognizer2D',
                              cls_head=dict(head, loss_cls=LOSSES[0]), **(DEEP if deep else FLAT)))
    for loss in LOSSES:
        model.cls_head = MODELS.build(dict(head, loss_cls=loss))
        for rows in ROWS:
            shape = (1, 3, 4, 32, 32) if deep else (2, 3, 32, 32)
            inputs = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in rows]
            train(model, dict(inputs=inputs, data_samples=samples(rows)))
        print('trained', kind, loss['type'], loss.get('base'))

# Our label encoders alone, named from another project's scope.
for kind in ('TemplatePromptHead', 'CoOpPromptHead', 'DualCoOpPromptHead'):
    built = MODELS.build(dict(type='ovmlv.' + kind, model_name=CLIP))
    out = built(['a cat', 'a dog'])
    assert out.shape == (2, 24), out.shape
    print('encoded by', type(built).__name__)
"""


def run(script: str, folder: Path, **variables: object) -> str:
    head = ''.join(f'{name} = {value!r}\n' for name, value in variables.items())
    path = folder / 'script.py'
    path.write_text(head + script)
    # As an installed package would be found; the current folder is another one.
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_the_loss_in_a_plain_runner(tmp_path):
    loss = dict(type='ovmlv.RegularizedMultilabelLoss', base=dict(type='TwoWayLoss'))
    out = run(REPAIR + PLAIN_RUNNER, tmp_path, LOSS=loss, WORK=str(tmp_path / 'work'))
    assert 'trained with RegularizedMultilabelLoss' in out


def test_the_backbone_in_mmaction2s_recognizer(tmp_path):
    assert 'predicted torch.Size([3])' in run(RECOGNIZER_3D, tmp_path, CLIP=write_clip(tmp_path))


@pytest.mark.slow
def test_every_loss_in_mmactions_heads(tmp_path):
    """FAULTS F2: TSNHead and TimeSformerHead, binary, soft and unknown targets."""
    out = run(
        LOSSES + MMACTION,
        tmp_path,
        FOREIGN='mmaction.BCELossWithLogits',
        CLIP=write_clip(tmp_path),
    )
    assert out.count('trained TSNHead') == out.count('trained TimeSformerHead') == 10
    assert out.count('encoded by') == 3


@pytest.mark.skipif(not importlib.util.find_spec('mmpretrain'), reason='needs mmpretrain')
@pytest.mark.slow
def test_every_loss_in_mmpretrains_heads(tmp_path):
    """FAULTS F2: ImageClassifier with its multi-label heads and its head of one label."""
    out = run(LOSSES + MMPRETRAIN, tmp_path, FOREIGN='mmpretrain.AsymmetricLoss')
    for head in ('MultiLabelLinearClsHead', 'CSRAClsHead', 'LinearClsHead'):
        assert out.count(f'trained {head}') == 10
