"""The choice of torch's attention kernel that suits training on a CPU."""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


def trainable_attention(device: torch.device) -> contextlib.AbstractContextManager:
    """Compute attention that gets gradients by plain products if that is faster.

    In bfloat16 on a CPU, forward and backward of torch's fused kernel take 2 to 3 times as long as
    plain products for 20 to 128 tokens (torch 2.13, one thread). Without gradients, in float32 and
    on GPUs the fused kernels are the faster ones.
    """
    if device.type == 'cpu' and torch.is_grad_enabled() and torch.is_autocast_enabled('cpu'):
        return sdpa_kernel(SDPBackend.MATH)
    return contextlib.nullcontext()


def attend_frames(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Scaled dot-product attention of ``(B * N, heads, T, d)``, for very many short sequences.

    On a CPU in bfloat16, products are faster here than even torch's own plain kernel.
    """
    if q.device.type == 'cpu' and q.dtype == torch.bfloat16:
        weights = (q * q.shape[-1] ** -0.5 @ k.mT).softmax(-1)
        return F.dropout(weights, dropout) @ v
    return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
