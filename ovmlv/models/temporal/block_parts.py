"""The two halves of a vision transformer's block, in open_clip's and timm's flavours.

A temporal module acts between the halves (beside the spatial attention) or inside the first (on its
queries, keys and values), so it must run them itself: ``x + attend(x) + feed_forward(...)``.
Weights stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.transformer import (
    Attention as OpenClipAttention,
    CustomResidualAttentionBlock,
    ResidualAttentionBlock,
)
from timm.layers import Attention as TimmAttention, AttentionRope, apply_rot_embed_cat
from timm.models.eva import EvaAttention, EvaBlock, EvaBlockPostNorm
from timm.models.vision_transformer import Block as TimmBlock
from torch import Tensor, nn

from ovmlv.errors import ConfigError

Core = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys, values ``(B * T, heads, N, d)`` to attended values of the queries' shape."""

_OPEN_CLIP_BLOCKS = (ResidualAttentionBlock, CustomResidualAttentionBlock)
_ATTENTIONS = (nn.MultiheadAttention, OpenClipAttention, TimmAttention, EvaAttention, AttentionRope)


class BlockParts:
    """A block taken apart, together with the arguments that it is called with.

    Args:
        block: A block of open_clip's or timm's ViT.
        rope: Rotary embedding of the block's attention (EVA and PE have one).

    Raises:
        ConfigError: The block is of a kind whose halves are not known.

    Examples:
        >>> import torch
        >>> from open_clip.transformer import ResidualAttentionBlock
        >>> from ovmlv.models.temporal import BlockParts
        >>> block = ResidualAttentionBlock(d_model=16, n_head=2)
        >>> x, parts = torch.rand(4, 5, 16), BlockParts(block)  # 4 frames of 5 tokens
        >>> y = x + parts.attend(x)
        >>> torch.allclose(y + parts.feed_forward(y), block(x), atol=1e-5)
        True
    """

    def __init__(self, block: Any, rope: Tensor | None = None) -> None:
        if type(block) not in (*_OPEN_CLIP_BLOCKS, TimmBlock, EvaBlock, EvaBlockPostNorm):
            raise ConfigError(
                f'temporal: blocks of type {type(block).__name__} take no block-level module; use '
                'FrameTransformer or FrameMean'
            )
        self.block: Any = block  # known by its class, which has no types of its own
        self.rope = rope

    def check_core(self) -> None:
        """Raise unless the attention's queries, keys and values are accessible."""
        attention = self.block.attn
        cosine = getattr(attention, 'logit_scale', None) is not None
        if type(attention) not in _ATTENTIONS or cosine:
            raise ConfigError(
                f'temporal: attention of type {type(attention).__name__} does not show its keys '
                'and values; use ParallelTemporalAttention'
            )

    def attend(self, x: Tensor, core: Core | None = None) -> Tensor:
        """What the first half adds to tokens ``(B * T, N, D)``: norm, spatial attention, layer
        scale.

        Args:
            x: Tokens.
            core: Replaces the softmax attention between the projections.
        """
        block = self.block
        if isinstance(block, _OPEN_CLIP_BLOCKS):
            y = self._attention(block.ln_1(x), core)
            return block.ls_1(getattr(block, 'ln_attn', _identity)(y))
        if isinstance(block, EvaBlockPostNorm):
            return block.drop_path1(block.norm1(self._attention(x, core)))
        y = self._attention(block.norm1(x), core)
        if isinstance(block, EvaBlock):
            return block.drop_path1(y if block.gamma_1 is None else block.gamma_1 * y)
        return block.drop_path1(block.ls1(y))

    def feed_forward(self, x: Tensor) -> Tensor:
        """What the second half (the MLP) adds to tokens ``(B * T, N, D)``."""
        block = self.block
        if isinstance(block, _OPEN_CLIP_BLOCKS):
            return block.ls_2(block.mlp(block.ln_2(x)))
        if isinstance(block, EvaBlockPostNorm):
            return block.drop_path2(block.norm2(block.mlp(x)))
        y = block.mlp(block.norm2(x))
        if isinstance(block, EvaBlock):
            return block.drop_path2(y if block.gamma_2 is None else block.gamma_2 * y)
        return block.drop_path2(block.ls2(y))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``(B * T, heads, N, d)`` of foreign tokens, which have no position."""
        if not isinstance(self.block, EvaBlockPostNorm):
            x = (
                self.block.ln_1 if isinstance(self.block, _OPEN_CLIP_BLOCKS) else self.block.norm1
            )(x)
        return _project(self.block.attn, x, None)[1:]

    def _attention(self, x: Tensor, core: Core | None) -> Tensor:
        attention = self.block.attn
        if core is not None:
            return _project_out(attention, core(*_project(attention, x, self.rope)), x)
        if isinstance(self.block, ResidualAttentionBlock):
            return self.block.attention(x)
        return attention(x) if self.rope is None else attention(x, rope=self.rope)


def attention_dropout(block: Any) -> float:
    """Dropout of the attention weights in the present mode."""
    attention = block.attn
    if not attention.training:
        return 0.0
    return (
        attention.dropout if isinstance(attention, nn.MultiheadAttention) else attention.attn_drop.p
    )


def _identity(x: Tensor) -> Tensor:
    return x


def _project(attention: Any, x: Tensor, rope: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values ``(B, heads, N, d)`` of normalised tokens ``(B, N, D)``."""
    if isinstance(attention, (nn.MultiheadAttention, OpenClipAttention)):
        q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    elif attention.qkv is not None:
        bias = attention.qkv.bias
        if getattr(attention, 'q_bias', None) is not None:
            bias = torch.cat((attention.q_bias, attention.k_bias, attention.v_bias))
        q, k, v = F.linear(x, attention.qkv.weight, bias).chunk(3, dim=-1)
    else:
        q, k, v = attention.q_proj(x), attention.k_proj(x), attention.v_proj(x)
    heads = attention.num_heads
    head_dim = q.shape[-1] // heads
    q, k, v = (y.unflatten(-1, (-1, head_dim)).transpose(1, 2) for y in (q, k, v))
    if isinstance(attention, OpenClipAttention):
        q, k = attention.ln_q(q), attention.ln_k(k)
    elif not isinstance(attention, nn.MultiheadAttention):
        q, k = attention.q_norm(q), attention.k_norm(k)
    if rope is not None:
        q, k = (_rotate(attention, y, rope).type_as(v) for y in (q, k))
    if k.shape[1] != heads:  # grouped queries
        k, v = (y.repeat_interleave(heads // y.shape[1], dim=1) for y in (k, v))
    return q, k, v


def _rotate(attention: Any, x: Tensor, rope: Tensor) -> Tensor:
    prefix = attention.num_prefix_tokens
    half = getattr(attention, 'rotate_half', False)
    return torch.cat(
        [x[:, :, :prefix], apply_rot_embed_cat(x[:, :, prefix:], rope, half=half)], dim=2
    )


def _project_out(attention: Any, y: Tensor, x: Tensor) -> Tensor:
    """Join the heads of ``y`` and project; the input ``x`` may gate the output."""
    if isinstance(attention, OpenClipAttention):
        if attention.head_scale is not None:
            y = y * attention.head_scale
        return attention.out_drop(
            attention.out_proj(attention.ln_inner(y.transpose(1, 2).flatten(2)))
        )
    y = y.transpose(1, 2).flatten(2)
    if isinstance(attention, nn.MultiheadAttention):
        return attention.out_proj(y)
    y = attention.norm(y)
    if attention.gate is not None:
        y = y * attention.gate(x).sigmoid()
    return attention.proj_drop(attention.proj(y))
