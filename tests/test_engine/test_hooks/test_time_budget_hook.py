"""A budget of time ends a run as its full length would: with a checkpoint and a validation."""

from __future__ import annotations

import logging
import time

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from ovmlv.engine.hooks import TimeBudgetHook
from ovmlv.errors import ConfigError


class SlowModel(BaseModel):
    """Counts its steps in a weight; each takes 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(()))

    def forward(self, x, mode='tensor'):
        if mode != 'loss':
            return [self.steps.item()]
        time.sleep(0.02)
        return dict(loss=-self.steps)


class Steps(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(data_samples[0])

    def compute_metrics(self, results):
        return dict(steps=results[0])


def train(folder, seconds, by_epoch, **kwargs):
    data = dict(
        dataset=[torch.zeros(1)] * 4,
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=lambda rows: dict(x=torch.stack(rows)),
    )
    length = dict(max_epochs=50) if by_epoch else dict(max_iters=200)
    runner = Runner(
        model=SlowModel(),
        work_dir=str(folder),
        train_dataloader=data,
        val_dataloader=data,
        train_cfg=dict(by_epoch=by_epoch, val_interval=1000, **length),
        val_cfg=dict(),
        val_evaluator=[Steps()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=5000, by_epoch=by_epoch)
        ),
        custom_hooks=[dict(type='TimeBudgetHook', seconds=seconds)],
        experiment_name=f'{folder.parent.name}_{folder.name}_{time.monotonic_ns()}',
        default_scope='ovmlv',
        log_level=logging.ERROR,
        **kwargs,
    )
    runner.train()
    return runner


@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_last_step_is_saved_and_validated(tmp_path, by_epoch):
    runner = train(tmp_path / 'run', 0.2, by_epoch)
    assert 4 <= runner.iter < 60
    (path,) = (tmp_path / 'run').glob('*.pth')
    saved = torch.load(path, weights_only=True)
    assert saved['state_dict']['steps'] == runner.iter
    assert saved['meta']['iter'] == runner.iter
    assert runner.message_hub.get_scalar('val/steps').current() == runner.iter

    again = train(tmp_path / 'run', 0.2, by_epoch, load_from=str(path), resume=True)
    assert again.iter == runner.iter, 'time used before an interruption counts'


def test_a_budget_of_no_time_is_refused():
    with pytest.raises(ConfigError, match='seconds=0 must be above 0'):
        TimeBudgetHook(0)
