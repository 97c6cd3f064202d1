"""Dual encoders are trained on the embedded videos by a config alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ovmlv.datasets.motionshapes.generate import generate
from ovmlv.utils.configs import leave_amp_to_gpus

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'dual_encoders'
NAMES = ('tiny_videoprism_motionshapes', 'tiny_pe_video_motionshapes')


@pytest.fixture(scope='module')
def videos(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('motionshapes') / 'data'
    generate(root, dict(train=16, val=4, test=4), num_frames=8, num_workers=1)
    return root


class Losses(Hook):
    """Keeps the losses of all steps."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch=None, outputs=None) -> None:
        self.values.append(float(outputs['loss']))


def train(
    name: str, root: Path, work: Path, epochs: int, batch: int = 8
) -> tuple[Runner, list[float]]:
    """Train by the config; only paths, sizes and times are options."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    steps = cfg.train_dataloader.dataset.pipeline[0].transforms  # without a cache of frames
    pipeline = [*steps, *cfg.train_dataloader.dataset.pipeline[1:]]
    cfg.merge_from_dict({'train_cfg.max_epochs': epochs, 'train_cfg.val_interval': epochs})
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].update(batch_size=batch, num_workers=0, persistent_workers=False)
        cfg[loader].dataset.data_root = str(root)
    cfg.train_dataloader.dataset.pipeline = pipeline
    cfg.work_dir, cfg.log_level = str(work), 'WARNING'
    cfg.experiment_name = f'{name}_{epochs}'
    leave_amp_to_gpus(cfg)
    runner = Runner.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses)
    before = {n: p.detach().clone() for n, p in runner.model.named_parameters()}
    reached: set[str] = set()
    for key, parameter in runner.model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(lambda _, key=key: reached.add(key))
    runner.train()
    census(runner.model, before, reached)
    return runner, losses.values


def census(model: Any, before: dict[str, torch.Tensor], reached: set[str]) -> None:
    """Exactly the video side, the adapter, the context and the scorer get gradients and move."""
    ours = ('backbone.visual.', 'backbone.adapter.', 'head.context', 'scorer.')
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trainable == {n for n in before if n.startswith(ours)}
    assert moved <= trainable
    # The bias of keys moves all attention logits of a query alike: its gradient is zero.
    still = {n for n in trainable - moved if not n.endswith('bias')}
    assert not still
    assert reached == trainable


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_few_steps(videos, tmp_path, name):
    runner, losses = train(name, videos, tmp_path, epochs=4, batch=16)
    assert len(losses) == 4
    assert losses[-1] < losses[0], losses
    # What was trained is tested, and opened again from its checkpoint.
    from ovmlv.apis import OVMLVInferencer

    checkpoint = next(tmp_path.glob('epoch_4.pth'))
    inferencer = OVMLVInferencer(runner.cfg, str(checkpoint), device='cpu')
    video = next((videos / 'videos' / 'test').glob('*.mp4'))
    found = inferencer(video, ['red circle', 'moving left'])[0].probabilities
    model = runner.model.eval()
    clip = inferencer._reader(None, None, None, None)(video)
    inputs = model.data_preprocessor(dict(inputs=[clip]))['inputs']
    expected = model.predict_labels(inputs, ['red circle', 'moving left'])[0]
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_fifty_steps(videos, tmp_path, name):
    _, losses = train(name, videos, tmp_path, epochs=25)
    assert len(losses) == 50
    first, last = sum(losses[:10]) / 10, sum(losses[-10:]) / 10
    assert last < 0.995 * first, losses
