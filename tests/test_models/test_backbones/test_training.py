"""What trains, what it costs in memory, and what stays as it was."""

import pytest
import torch

from ovmlv.models.backbones import TemporalCLIPBackbone
from tests.test_models.test_backbones.tiny_towers import videos

BLOCK_LEVEL = ('ParallelTemporalAttention', 'NeighborFrameAttention', 'CrossFrameMessage')


def is_trainable(name, trainable, tower):
    """Which parameters `trainable` names, written down for two towers of known layout."""
    if name.startswith('temporal.'):
        return trainable != 'none'
    if name.startswith('reference.') or trainable in ('none', 'temporal'):
        return False
    if trainable == 'all':
        return True
    if tower == 'open_clip':  # three blocks
        last = tuple(f'visual.transformer.resblocks.{i}.' for i in range(3 - trainable, 3))
        return name.startswith((*last, 'visual.ln_post.')) or name == 'visual.proj'
    last = tuple(f'visual.trunk.blocks.{i}.' for i in range(4 - trainable, 4))  # four blocks
    return name.startswith((*last, 'visual.trunk.norm.', 'visual.head.'))


def opened(config, gate):
    """The config of a module with its gate open, where it has one, and without dropout."""
    if config['type'] == 'GridFrameTransformer':
        return dict(config, dropout=0.0)
    return config if config['type'] == 'FrameMean' else dict(config, gate_init=gate)


def open_output(backbone):
    """Let a module without a gate have an effect."""
    if backbone.temporal.level == 'grid':
        torch.nn.init.normal_(backbone.temporal.write.weight, std=0.02)


@pytest.mark.parametrize('tower', ['open_clip', 'hybrid'])
@pytest.mark.parametrize('trainable', ['none', 'temporal', 1, 2, 'all'])
@pytest.mark.parametrize('module', [*BLOCK_LEVEL, 'GridFrameTransformer', 'FrameTransformer', None])
def test_gradient_census(build, tower, trainable, module):
    config = dict(type=module or 'FrameMean')
    if module in BLOCK_LEVEL:
        config['blocks'] = [-1]
    backbone = build(tower, opened(config, 0.1), trainable=trainable).train()
    open_output(backbone)
    expected = {n for n, _ in backbone.named_parameters() if is_trainable(n, trainable, tower)}
    assert {n for n, p in backbone.named_parameters() if p.requires_grad} == expected
    video = backbone(videos(tower))
    if not expected:
        assert not video.requires_grad
        return
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in backbone.named_parameters():
        if name in expected:
            assert torch.isfinite(parameter.grad).all(), name
            if 'in_proj_bias' in name or name.endswith(('qkv.bias', 'attn.qkv.bias')):
                continue  # its part for the keys has no influence on a softmax
            assert parameter.grad.abs().max() > 0, name
        else:
            assert parameter.grad is None, name
    saved = set(backbone.state_dict())
    assert expected <= saved
    # 'none' may follow upon training: the temporal module then stays in the checkpoint.
    rest = {n for n in saved - expected if not n.startswith('temporal.')}
    buffers = {n for n, _ in backbone.visual.named_buffers(prefix='visual')}
    assert rest <= {'_frozen_fingerprint'} | (buffers if trainable == 'all' else set())


def test_gate_of_zero_trains_the_gate_first(build):
    for tower in ('open_clip', 'eva'):
        backbone = build(tower, 'ParallelTemporalAttention')
        video = backbone(videos(tower))
        (video * torch.randn_like(video)).sum().backward()
        for name, parameter in backbone.temporal.named_parameters():
            assert torch.isfinite(parameter.grad).all()
            assert (parameter.grad.abs().max() > 0) == name.endswith('gate')


@pytest.mark.parametrize(
    ('tower', 'trainable'),
    [(t, m) for t in ('open_clip', 'hybrid', 'eva') for m in ('temporal', 'all')]
    + [('convnext', 'all')],  # frozen, it saves no activations to begin with
)
def test_gradient_checkpointing_saves_memory_and_nothing_else(build, tower, trainable):
    module = 'FrameTransformer' if tower == 'convnext' else 'ParallelTemporalAttention'
    results = []
    for saves in (False, True):
        torch.manual_seed(0)
        config = dict(type=module, gate_init=0.3)
        backbone = build(tower, config, trainable=trainable, grad_checkpointing=saves).train()
        size = 0

        def pack(tensor):
            nonlocal size
            size += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            video = backbone(videos(tower))
        (video * video.detach().sin()).sum().backward()
        grads = {n: p.grad for n, p in backbone.named_parameters() if p.grad is not None}
        results.append((size, video.detach(), grads))
    (plain, video, grads), (saved, video2, grads2) = results
    assert saved < 0.6 * plain
    assert torch.equal(video, video2) and set(grads) == set(grads2)
    for name in grads:
        torch.testing.assert_close(grads[name], grads2[name], atol=1e-6, rtol=1e-4)


def test_batch_norm_keeps_its_statistics(build):
    for trainable in ('temporal', 1, 'all'):
        backbone = build('hybrid', trainable=trainable).train()
        before = {n: b.clone() for n, b in backbone.visual.named_buffers()}
        assert any('running_mean' in n for n in before)
        backbone(videos('hybrid') * 3 + 1)
        assert all(torch.equal(b, before[n]) for n, b in backbone.visual.named_buffers())


def test_training_teaches_the_order_of_frames(build):
    """Fading in and fading out have the same mean of frames; the branch learns to tell them."""
    torch.manual_seed(0)
    backbone = build('open_clip', dict(type='ParallelTemporalAttention', gate_init=0.1))
    ramp = torch.linspace(-1, 1, 4)[:, None, None]
    x = videos('open_clip', batch=4) + ramp
    tokens = backbone.frozen_prefix(torch.cat([x, x.flip(2)]))
    target = torch.tensor([1.0] * 4 + [-1.0] * 4)
    readout = torch.randn(backbone.embed_dim)
    optimizer = torch.optim.AdamW(backbone.temporal.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        scores = backbone.forward_from(tokens, 4) @ readout
        loss = torch.nn.functional.softplus(-target * scores).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize('tower', ['open_clip', 'eva', 'hybrid'])
@pytest.mark.parametrize('module', [*BLOCK_LEVEL, 'GridFrameTransformer', 'FrameTransformer', None])
def test_mixed_precision(build, tower, module):
    temporal = None if module is None else opened(dict(type=module), 0.3)
    backbone = build(tower, temporal, trainable=1).train()
    open_output(backbone)
    x = videos(tower)
    exact, reference = backbone.forward_with_reference(x)
    with torch.autocast('cpu', torch.bfloat16):
        video, reference_too = backbone.forward_with_reference(x)
    assert video.dtype == reference_too.dtype == torch.float32  # the mean is taken in float32
    assert (video - exact).norm() < 0.05 * exact.norm()
    assert (reference_too - reference).norm() < 0.05 * reference.norm()
    video.square().sum().backward()
    for name, parameter in backbone.named_parameters():
        if parameter.requires_grad:
            assert torch.isfinite(parameter.grad).all(), name


def test_batch_norms_keep_their_statistics_in_finetuning():
    backbone = TemporalCLIPBackbone(
        'motionshapes', 'motionshapes', num_frames=4, temporal=None, trainable='all'
    ).train()
    video, reference = backbone.forward_with_reference(torch.randn(2, 3, 4, 64, 64))
    torch.testing.assert_close(video, reference, atol=1e-5, rtol=1e-5)
    before = {n: b.clone() for n, b in backbone.named_buffers() if 'running' in n}
    assert before
    backbone(torch.randn(2, 3, 4, 64, 64) * 3)
    after = dict(backbone.named_buffers())
    assert all(after[name].equal(value) for name, value in before.items())
