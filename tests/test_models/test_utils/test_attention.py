"""Attention in whichever of its forms."""

from __future__ import annotations

import contextlib

import pytest
import torch
import torch.nn.functional as F

from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.heads import TemplatePromptHead
from ovmlv.models.utils.attention import attend_frames, trainable_attention


@pytest.mark.parametrize(('dtype', 'atol'), [(torch.float32, 1e-6), (torch.bfloat16, 3e-2)])
def test_equals_torch(dtype: torch.dtype, atol: float) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(64, 4, 8, 32).to(dtype) for _ in range(3))
    ours = [x.clone().requires_grad_() for x in (q, k, v)]
    theirs = [x.float().requires_grad_() for x in (q, k, v)]
    y = attend_frames(*ours)
    expected = F.scaled_dot_product_attention(*theirs)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), expected, atol=atol, rtol=0)
    weight = torch.randn(y.shape)
    (y.float() * weight).sum().backward()
    (expected * weight).sum().backward()
    for ours_, theirs_ in zip(ours, theirs, strict=True):
        torch.testing.assert_close(ours_.grad.float(), theirs_.grad, atol=2 * atol, rtol=3e-2)


def test_drops_weights() -> None:
    q, k, v = (torch.randn(2, 2, 8, 4, dtype=torch.bfloat16) for _ in range(3))
    assert not attend_frames(q, k, v, dropout=1.0).any()


def test_products_where_gradients_are_wanted_in_bfloat16() -> None:
    device = torch.device('cpu')

    def backend() -> str:
        q = torch.randn(1, 2, 20, 8, requires_grad=True)
        with trainable_attention(device):
            return type(F.scaled_dot_product_attention(q, q, q).grad_fn).__name__

    assert 'Flash' in backend()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert 'Flash' not in backend()
        with torch.no_grad():
            assert isinstance(trainable_attention(device), contextlib.nullcontext)
    assert isinstance(trainable_attention(torch.device('cuda')), contextlib.nullcontext)


@pytest.mark.parametrize('saves', [False, True])
def test_the_choice_survives_gradient_checkpointing(saves: bool) -> None:
    """The backward pass must find the kernel of the forward pass again."""
    torch.manual_seed(0)
    backbone = TemporalCLIPBackbone(
        'motionshapes', 'motionshapes', trainable=2, grad_checkpointing=saves, temporal=None
    ).train()
    head = TemplatePromptHead('motionshapes', 'motionshapes', grad_checkpointing=saves)
    x = torch.randn(1, 3, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        video = backbone(x)
    (video.float() @ head(['red circle']).T).sum().backward()
    grads = torch.cat([p.grad.flatten() for p in backbone.parameters() if p.grad is not None])
    # Measured in float32 with the fused kernel.
    exact = TemporalCLIPBackbone('motionshapes', 'motionshapes', trainable=2, temporal=None).train()
    (exact(x) @ head(['red circle']).T).sum().backward()
    expected = torch.cat([p.grad.flatten() for p in exact.parameters() if p.grad is not None])
    assert F.cosine_similarity(grads, expected, dim=0) > 0.99
