"""What of a dual encoder trains, what is kept in checkpoints, and what is cached."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from ovmlv.errors import CheckpointError
from ovmlv.models.backbones import TransformersVideoBackbone
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS


def videos(backbone, count=2, time=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, time, *backbone.image_size, generator=generator)


def stirred(backbone):
    """What starts at zero would hide gradients."""
    for parameter in backbone.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return backbone


@pytest.mark.parametrize('family', CONFIGS)
@pytest.mark.parametrize('trainable', ['none', 'temporal', 1, 'all'])
def test_census_of_gradients(family, trainable):
    frames = family in ('siglip', 'siglip2', 'clip')
    temporal = dict(type='FrameTransformer') if frames else None
    backbone = stirred(
        TransformersVideoBackbone(
            CONFIGS[family], adapter_width=8, temporal=temporal, trainable=trainable
        )
    ).train()
    found, reference = backbone.forward_with_reference(videos(backbone))
    assert not reference.requires_grad
    if trainable == 'none':
        assert not found.requires_grad
        assert not [n for n, p in backbone.named_parameters() if p.requires_grad]
        return
    (found * torch.randn(found.shape)).sum().backward()
    trained = {n for n, p in backbone.named_parameters() if p.requires_grad}
    reached = {n for n, p in backbone.named_parameters() if p.grad is not None}
    assert reached == trained
    tops = {n for n in trained if not n.startswith('visual.')}
    assert any(n.startswith('adapter.') for n in tops)
    assert any(n.startswith('temporal.') for n in tops) == frames
    chain = list(backbone.visual.chain())
    blocks = [i for i, (_, is_block) in enumerate(chain) if is_block]
    first = dict(temporal=len(chain), all=0).get(trainable)
    first = blocks[-trainable] if first is None else first
    live = {id(p) for module, _ in chain[first:] for p in module.parameters()}
    expected = {n for n, p in backbone.named_parameters() if id(p) in live}
    assert trained - tops == expected


@pytest.mark.parametrize('trainable', ['temporal', 1])
@pytest.mark.parametrize('family', ['videoprism', 'clip'])
def test_checkpoints_hold_what_trains(family, trainable):
    made = dict(adapter_width=8, trainable=trainable)
    backbone = stirred(TransformersVideoBackbone(CONFIGS[family], **made))
    state = copy.deepcopy(backbone.state_dict())
    trained = {n for n, p in backbone.named_parameters() if p.requires_grad}
    assert {n for n in state if n != '_frozen_fingerprint' and 'position_ids' not in n} >= trained
    assert len(state) < len(list(backbone.named_parameters()))
    other = TransformersVideoBackbone(CONFIGS[family], **made)
    other.load_state_dict(state)
    x = videos(backbone)
    torch.testing.assert_close(other.eval()(x), backbone.eval()(x))
    strange = TransformersVideoBackbone(CONFIGS[family], **made)
    with torch.no_grad():
        next(iter(strange.visual.chain()))[0].requires_grad_(False)
        for parameter in next(iter(strange.visual.chain()))[0].parameters():
            parameter.add_(1.0)
    with pytest.raises(CheckpointError, match='other frozen weights'):
        strange.load_state_dict(state)


@pytest.mark.parametrize('family', ['videoprism', 'clip'])
def test_a_cache_gives_the_same(family, tmp_path):
    made = dict(adapter_width=8, trainable='temporal')
    plain = TransformersVideoBackbone(CONFIGS[family], **made).train()
    cached = TransformersVideoBackbone(
        CONFIGS[family], **made, prefix_cache=10, prefix_cache_dir=str(tmp_path)
    ).train()
    x = videos(plain)
    for _ in range(2):
        torch.testing.assert_close(cached(x), plain(x))
        for a, b in zip(
            cached.forward_with_reference(x), plain.forward_with_reference(x), strict=True
        ):
            torch.testing.assert_close(a, b)
    assert cached.prefix_cache.hits and cached.prefix_cache.misses == 2
    assert list(tmp_path.rglob('*.safetensors'))


@pytest.mark.parametrize('family', ['pe_video', 'xclip'])
def test_copies_and_pickles(family):
    backbone = TransformersVideoBackbone(CONFIGS[family], adapter_width=4)
    x = videos(backbone)
    expected = backbone(x)
    for other in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        torch.testing.assert_close(other(x), expected)
        assert not other.train().visual.training


@pytest.mark.parametrize('family', ['videoprism', 'xclip', 'siglip'])
def test_activations_computed_again_give_the_same_gradients(family):
    found = []
    for saves in (False, True):
        backbone = TransformersVideoBackbone(
            CONFIGS[family], trainable='all', grad_checkpointing=saves
        ).train()
        backbone(videos(backbone)).square().sum().backward()
        found.append({n: p.grad for n, p in backbone.visual.named_parameters()})
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=name)
