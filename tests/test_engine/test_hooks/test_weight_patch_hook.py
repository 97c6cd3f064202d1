"""Averaging and patching in a run: closed forms on two parameters, and a whole recognizer."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from ovmlv.engine.hooks import WeightPatchHook
from ovmlv.errors import ConfigError
from tests.test_integration.tiny import LABELS, build_model, make_batch, model_config, write_clip


class Line(nn.Module):
    """``y = slope x + offset``: the slope is CLIP's, the offset is new."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(4.0))
        self.offset = nn.Parameter(torch.tensor(0.5))

    def pretrained_parameter_names(self):
        return ['slope']


class TwoParameters(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Line()

    def forward(self, x, mode='tensor'):
        line = self.backbone
        if mode == 'loss':
            return dict(loss=(line.slope * x + line.offset).square().mean())
        return [line.slope.item(), line.offset.item()] * len(x)


class Weights(BaseMetric):
    """The weights of every prediction, in pairs."""

    def process(self, data_batch, data_samples):
        self.results.append(list(data_samples[:2]))

    def compute_metrics(self, results):
        assert all(row == results[0] for row in results)
        return dict(slope=results[0][0], offset=results[0][1])


class Recorder(Hook):
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.weights, self.metrics = [], []

    def after_train_iter(self, runner, *args, **kwargs):
        self.weights.append([p.item() for p in runner.model.parameters()])

    def after_val_epoch(self, runner, metrics=None):
        self.metrics.append([metrics['slope'], metrics['offset']])


def run(folder, hooks, epochs=3, **kwargs):
    data = dict(
        dataset=[torch.tensor(float(i)) for i in range(8)],
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=lambda rows: dict(x=torch.stack(rows)),
    )
    recorder = Recorder()
    runner = Runner(
        model=TwoParameters(),
        work_dir=str(folder),
        train_dataloader=data,
        val_dataloader=data,
        test_dataloader=data,
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        val_cfg=dict(),
        test_cfg=dict(),
        val_evaluator=[Weights()],
        test_evaluator=[Weights()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[*hooks, recorder],
        experiment_name=f'{folder.parent.name}_{folder.name}',
        default_scope='ovmlv',
        log_level=logging.ERROR,
        **kwargs,
    )
    return runner, recorder


def test_patching_leaves_training_and_checkpoints_alone(tmp_path):
    runner, plain = run(tmp_path / 'plain', [])
    runner.train()
    runner, patched = run(tmp_path / 'patched', [dict(type='WeightPatchHook', ratio=0.25)])
    runner.train()
    assert patched.weights == plain.weights
    for (slope, offset), found in zip(plain.weights[3::4], patched.metrics, strict=True):
        # start + ratio * (weight - start); what has no start stays.
        assert found == pytest.approx([4.0 + 0.25 * (slope - 4.0), offset], rel=1e-6)
    saved = torch.load(tmp_path / 'patched' / 'epoch_3.pth', weights_only=False)['state_dict']
    assert [v.item() for v in saved.values()] == patched.weights[-1]
    tester, _ = run(
        tmp_path / 'test',
        [dict(type='WeightPatchHook', ratio=0.25)],
        load_from=str(tmp_path / 'patched' / 'epoch_3.pth'),
    )
    tested = tester.test()
    assert [tested['slope'], tested['offset']] == pytest.approx(patched.metrics[-1], rel=1e-6)
    assert [p.item() for p in tester.model.parameters()] == patched.weights[-1]


@pytest.mark.parametrize(('kind', 'interval'), [('mean', 1), ('mean', 3), ('ema', 1)])
def test_averages_of_two_parameters_in_closed_form(kind, interval, tmp_path):
    """mmengine's EMAHook as Open-VCLIP's averaging (SWA): the mean of every k-th step's weights."""
    options = dict(ema_type='StochasticWeightAverage') if kind == 'mean' else dict(momentum=0.2)
    hooks = [
        dict(type='EMAHook', interval=interval, **options),
        dict(type='WeightPatchHook', ratio=0.5),
    ]
    runner, recorder = run(tmp_path / 'run', hooks)
    runner.train()
    weights = torch.tensor(recorder.weights)
    for epoch in (1, 2, 3):
        so_far = weights[: 4 * epoch : interval]
        if kind == 'mean':
            average = so_far.mean(0)
        else:
            average = so_far[0]
            for row in so_far[1:]:
                average = 0.8 * average + 0.2 * row
        expected = [4.0 + 0.5 * (average[0].item() - 4.0), average[1].item()]
        assert recorder.metrics[epoch - 1] == pytest.approx(expected, rel=1e-5)
    saved = torch.load(tmp_path / 'run' / 'epoch_3.pth', weights_only=False)['state_dict']
    assert [v.item() for v in saved.values()] == pytest.approx(average.tolist(), rel=1e-5)
    assert [p.item() for p in runner.model.parameters()] == recorder.weights[-1]
    for _ in range(2):  # mmengine alone would test the last weights, not the averaged ones
        tested = runner.test()
        assert [tested['slope'], tested['offset']] == recorder.metrics[-1]


def test_ratio_zero_is_clip(tmp_path):
    """All that trains in the tower goes back: the model at ratio 0 is the frozen CLIP."""
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(
            trainable=1,
            temporal=dict(type='ParallelTemporalAttention', blocks='last-1', zero_init='proj'),
        ),
        head=dict(type='CoOpPromptHead'),
    )
    from ovmlv.registry import MODELS

    model = MODELS.build(config).eval()
    model.set_vocabulary(LABELS)
    data = model.data_preprocessor(make_batch(2))['inputs'][:, 0]
    runner = SimpleNamespace(model=model)
    hook = WeightPatchHook(ratio=0.0)
    hook.before_run(runner)
    with torch.no_grad():
        reference = model.backbone.forward_with_reference(data)[1]
        for p in model.backbone.parameters():
            if p.requires_grad:
                p.add_(0.1 * torch.randn_like(p))
        trained = {name: value.clone() for name, value in model.state_dict().items()}
        before = model.backbone(data)
        assert not torch.allclose(before, reference, atol=1e-2)
        hook.before_run(runner)  # a second one, as of a test after training, changes nothing
        hook.before_test_iter(runner, 0)
        torch.testing.assert_close(model.backbone(data), reference, atol=1e-5, rtol=1e-5)
        hook.after_test_epoch(runner)
    assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())


def test_refused(tmp_path):
    for ratio in (-0.1, 1.5, '0.5', True):
        with pytest.raises(ConfigError, match='ratio='):
            WeightPatchHook(ratio)
    config = model_config(write_clip(tmp_path), backbone=dict(temporal=None))
    model = build_model(config)
    with pytest.raises(ConfigError, match='starts as CLIP'):
        WeightPatchHook().before_run(SimpleNamespace(model=model))
    with pytest.raises(ConfigError, match='must be a list'):
        WeightPatchHook(parts=['tower']).before_run(SimpleNamespace(model=model))
