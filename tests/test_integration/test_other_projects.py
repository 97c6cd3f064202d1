"""Single modules of ovmlv in other projects' configs, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_the_loss_in_a_plain_runner(tmp_path):
    loss = dict(type='ovmlv.RegularizedMultilabelLoss', base=dict(type='TwoWayLoss'))
    out = run(REPAIR + PLAIN_RUNNER, tmp_path, LOSS=loss, WORK=str(tmp_path / 'work'))
    assert 'trained with RegularizedMultilabelLoss' in out


def test_the_backbone_in_mmaction2s_recognizer(tmp_path):
    assert 'predicted torch.Size([3])' in run(RECOGNIZER_3D, tmp_path, CLIP=write_clip(tmp_path))
