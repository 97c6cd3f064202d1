"""Frames exchange message tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.scalars import load_scalars_of_any_form, scalar_parameter
from ovmlv.registry import MODELS

from .base_block_temporal import BaseBlockTemporal
from .block_parts import BlockParts, attention_dropout


@MODELS.register_module()
class CrossFrameMessage(BaseBlockTemporal):
    """One message a frame, exchanged across frames, read by the frame's tokens (X-CLIP's
    cross-frame attention).

    X-CLIP (Ni et al., ECCV 2022, eq. 4-6): ``m_t = W cls_t``, ``M = M + MHA(LN M)`` across the T
    messages, and the message is one more key and value of the spatial attention of its frame. If
    ``o_1`` is the spatial attention and ``o_2`` is that with the message, the heads give
    ``o_1 + g (o_2 - o_1)``. X-CLIP has g = 1 and does not start at CLIP. Towers without a class
    token send the mean of their tokens.

    Args:
        width: Given by the backbone, like the next three.
        depth: See `BaseBlockTemporal`.
        num_frames: See `BaseBlockTemporal`.
        has_class_token: See `BaseBlockTemporal`.
        blocks: See `BaseBlockTemporal`.
        num_heads: Heads of the attention between messages; None takes one for each 64 channels.
        gate_init: Value at which the gate of a block starts.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from open_clip.transformer import ResidualAttentionBlock
        >>> from ovmlv.models.temporal import BlockParts, CrossFrameMessage
        >>> block = ResidualAttentionBlock(d_model=16, n_head=2)
        >>> message = CrossFrameMessage(width=16, depth=1, num_frames=4)
        >>> x = torch.rand(2 * 4, 5, 16)  # 2 videos of 4 frames of 5 tokens
        >>> y = message(x, num_frames=4, index=0, parts=BlockParts(block))
        >>> torch.allclose(y, block(x), atol=1e-5)  # its gate starts at 0
        True
    """

    def __init__(
        self,
        width: int,
        depth: int,
        num_frames: int,
        has_class_token: bool = True,
        blocks: str | int | Sequence[int] = 'all',
        num_heads: int | None = None,
        gate_init: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(width, depth, num_frames, has_class_token, blocks, init_cfg)
        heads = num_heads or max(1, width // 64)
        if width % heads:
            raise ConfigError(
                f'temporal.num_heads={heads} does not divide the width of {width}; choose a divisor'
            )
        self.branches = nn.ModuleDict(
            {str(i): _Messages(width, heads, gate_init) for i in self.blocks}
        )

    def check(self, parts: BlockParts) -> None:
        """The keys and values of the block's attention must be accessible."""
        parts.check_core()

    def forward(self, x: Tensor, num_frames: int, index: int, parts: BlockParts) -> Tensor:
        """Run block ``index`` on ``(B * T, N, D)`` with a message in its attention."""
        branch: Any = self.branches[str(index)]
        sender = x[:, 0] if self.has_class_token else x.mean(1)
        messages = branch(sender.unflatten(0, (-1, num_frames))).flatten(0, 1)
        key, value = parts.keys_values(messages[:, None])
        dropout = attention_dropout(parts.block)

        def core(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            own = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
            told = F.scaled_dot_product_attention(
                q, torch.cat([k, key], dim=2), torch.cat([v, value], dim=2), dropout_p=dropout
            )
            return own + branch.gate * (told - own)

        x = x + parts.attend(x, core)
        return x + parts.feed_forward(x)


class _Messages(nn.Module):
    """Messages of one block."""

    def __init__(self, width: int, num_heads: int, gate_init: float) -> None:
        super().__init__()
        self.write = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.exchange = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.gate = scalar_parameter(gate_init)
        load_scalars_of_any_form(self)

    def forward(self, sender: Tensor) -> Tensor:
        """Write messages from ``(B, T, D)`` and exchange them across T."""
        messages = self.write(sender)
        y = self.norm(messages)
        return messages + self.exchange(y, y, y, need_weights=False)[0]
