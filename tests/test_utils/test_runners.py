"""Runners by a config's ``runner_type``."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import FlexibleRunner, Runner
from torch import nn

from ovmlv.utils.runners import keep_given_epoch, start_before_loading


class OneNumber(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x, mode):
        return dict(loss=self.weight * x)


class Noting(Hook):
    """Notes the weight when the run starts and when a checkpoint is there."""

    def before_run(self, runner):
        self.seen = [*getattr(self, 'seen', []), ('start', runner.model.weight.item())]

    def after_load_checkpoint(self, runner, checkpoint):
        self.seen.append(('load', checkpoint['state_dict']['weight'].item()))


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
def test_hooks_start_before_loading_and_checkpoints_know_their_epoch(tmp_path, kind):
    torch.save(dict(state_dict=dict(weight=torch.ones(1)), meta={}), tmp_path / 'one.pth')
    hook = Noting()
    runner = kind(
        model=OneNumber(),
        work_dir=str(tmp_path),
        train_dataloader=torch.utils.data.DataLoader([dict(x=torch.ones(1))] * 2),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        load_from=str(tmp_path / 'one.pth'),
        custom_hooks=[hook],
        experiment_name=f'{kind.__name__}_{tmp_path.name}',
    )
    if kind is FlexibleRunner:
        start_before_loading(runner)
        keep_given_epoch(runner)
    runner.train()
    assert hook.seen == [('start', 0.0), ('load', 1.0)]
    for meta, expected in ((None, 2), (dict(epoch=1, iter=2), 1)):
        runner.save_checkpoint(str(tmp_path), 'saved.pth', meta=meta)
        assert torch.load(tmp_path / 'saved.pth', weights_only=False)['meta']['epoch'] == expected
