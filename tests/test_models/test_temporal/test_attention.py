"""Attention among frames, in whichever of its two forms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ovmlv.models.temporal.attention import attend_frames


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
