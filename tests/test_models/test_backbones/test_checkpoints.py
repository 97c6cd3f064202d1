"""Checkpoints of the backbone: small, strict about what they hold, checked for what they do not."""

import copy
import pickle

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint, save_checkpoint
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ovmlv.errors import CheckpointError
from ovmlv.models.utils.frozen import FINGERPRINT_KEY
from tests.test_models.test_backbones.tiny_towers import videos

MODULES = [
    'ParallelTemporalAttention',
    'CrossFrameMessage',
    'GridFrameTransformer',
    'FrameTransformer',
]


def change(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize('module', MODULES)
@pytest.mark.parametrize('trainable', ['temporal', 1, 'all'])
def test_round_trip(build, tmp_path, module, trainable):
    source = change(build('open_clip', module, trainable=trainable)).eval()
    x = videos('open_clip')
    expected = source(x)
    trained = {n for n, p in source.named_parameters() if p.requires_grad}
    assert set(source.state_dict()) == trained | {FINGERPRINT_KEY}
    for made in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
        assert torch.equal(made(x), expected)
        assert set(made.state_dict()) == set(source.state_dict())
        assert not any(m.training for m in made.train().visual.modules()) or trainable != 'temporal'
    save_checkpoint({'state_dict': source.state_dict()}, str(tmp_path / 'c.pth'))
    for load in (
        lambda model: load_checkpoint(model, str(tmp_path / 'c.pth'), strict=True),
        lambda model: model.load_state_dict(source.state_dict(), strict=True),
    ):
        target = build('open_clip', module, trainable=trainable).eval()
        assert not torch.allclose(target(x), expected)
        load(target)
        assert torch.equal(target(x), expected)
    for key in sorted(trained)[:3]:
        state = source.state_dict()
        del state[key]
        with pytest.raises(RuntimeError, match='Missing key'):
            build('open_clip', module, trainable=trainable).load_state_dict(state)


def test_other_clips_are_refused(build):
    state = change(build('open_clip')).state_dict()
    other = build('open_clip')
    other.visual.transformer.resblocks[1].mlp.c_fc.weight.data.mul_(1.01)
    with pytest.raises(CheckpointError, match='other frozen weights'):
        other.load_state_dict(state)
    for tower in ('open_clip_mean', 'hybrid'):
        with pytest.raises(CheckpointError):
            build(tower).load_state_dict(state, strict=False)
    wider = build('open_clip', dict(type='ParallelTemporalAttention', width_ratio=2.0))
    with pytest.raises(CheckpointError, match=r'temporal\.branches\.0\.qkv'):
        wider.load_state_dict(state, strict=False)


def test_another_number_of_frames_fits(build):
    """Positions are of the checkpoint's T; they are interpolated where they are loaded."""
    source = change(build('open_clip', num_frames=4)).eval()
    target = build('open_clip', num_frames=6).eval()
    target.load_state_dict(source.state_dict())
    x = videos('open_clip', frames=6)
    assert torch.allclose(target(x), source(x), atol=1e-5)


def test_stages_of_training_share_checkpoints(build):
    """The branch first, then everything, then the branch in evaluation."""
    x = videos('open_clip')
    first = change(build('open_clip', trainable='temporal')).eval()
    second = build('open_clip', trainable='all').eval()
    second.load_state_dict(first.state_dict())
    assert torch.allclose(second(x), first(x), atol=1e-5)
    start = second.forward_with_reference(x)[1]
    change(second)
    third = build('open_clip', trainable='none').eval()
    third.load_state_dict(second.state_dict())
    assert torch.allclose(third(x), second(x), atol=1e-5)
    assert torch.equal(second.forward_with_reference(x)[1], start)
    again = build('open_clip', trainable='all').eval()
    again.load_state_dict(second.state_dict())
    assert torch.equal(again.forward_with_reference(x)[1], start)


def test_distributed_wrapper(build, tmp_path):
    store = f'file://{tmp_path}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    try:
        source = change(build('open_clip'))
        wrapped = DistributedDataParallel(source)
        wrapped(videos('open_clip')).sum().backward()
        state = wrapped.state_dict()
        assert set(state) == {f'module.{key}' for key in source.state_dict()}
        target = DistributedDataParallel(build('open_clip'))
        target.load_state_dict(state, strict=True)
        x = videos('open_clip')
        assert torch.equal(target.eval()(x), wrapped.eval()(x))
    finally:
        torch.distributed.destroy_process_group()


class Model(BaseModel):
    """The backbone inside a model of mmengine."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.readout = nn.Linear(backbone.embed_dim, 1)

    def forward(self, x, data_samples=None, mode='tensor'):
        video, reference = self.backbone.forward_with_reference(x)
        return {'loss': self.readout(video).square().mean() + (video - reference).square().mean()}


def test_runner_saves_averages_and_resumes(build, tmp_path):
    """Two epochs in one go equal one epoch, then one more from its checkpoint, average included."""
    clips = [dict(x=v) for v in videos('open_clip', batch=4)]

    def run(folder, epochs, load_from=None):
        torch.manual_seed(3)
        temporal = dict(type='ParallelTemporalAttention', gate_init=0.1)
        runner = Runner(
            Model(build('open_clip', temporal, trainable=1)),
            str(tmp_path / folder),
            train_dataloader=dict(
                dataset=clips,
                collate_fn=dict(type='default_collate'),
                sampler=dict(type='DefaultSampler', shuffle=False),
                batch_size=2,
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
            custom_hooks=[dict(type='EMAHook', momentum=0.1)],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            load_from=load_from,
            resume=load_from is not None,
            experiment_name=f'{tmp_path.name}_{folder}',
            log_level='ERROR',
        )
        runner.train()
        path = tmp_path / folder / f'epoch_{epochs}.pth'
        return path, torch.load(path, map_location='cpu', weights_only=True)

    _, straight = run('straight', 2)
    path, _ = run('broken', 1)
    _, resumed = run('broken', 2, str(path))
    for states in ('state_dict', 'ema_state_dict'):
        assert set(straight[states]) == set(resumed[states])
        for key, value in straight[states].items():
            assert torch.equal(value, resumed[states][key]), key
    keys = set(straight['state_dict'])
    assert not any('reference' in k or 'resblocks.0' in k for k in keys)
    assert any('resblocks.2' in k for k in keys) and 'backbone._frozen_fingerprint' in keys
    assert torch.equal(straight['ema_state_dict']['steps'], torch.tensor(4))
