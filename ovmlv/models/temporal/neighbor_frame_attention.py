"""Spatial attention that also sees the frames before and after."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .base_block_temporal import BaseBlockTemporal
from .block_parts import BlockParts, attention_dropout


@MODELS.register_module()
class NeighborFrameAttention(BaseBlockTemporal):
    """Keys and values of frames t - r .. t + r for the queries of frame t (Open-VCLIP, Weng et al.,
    ICML 2023).

    Neighbours beyond the ends of a clip are masked; Open-VCLIP attends to zero keys there, which
    dilutes the softmax. If ``o_1`` is the spatial attention and ``o_2`` is that over neighbours,
    the heads give ``o_1 + g (o_2 - o_1)``. Open-VCLIP is
    ``gate_init=1, learn_gate=False, blocks='all'`` with finetuned spatial weights, and does not
    start at CLIP; the default does.

    Args:
        width: Given by the backbone, like the next three.
        depth: See `BaseBlockTemporal`.
        num_frames: See `BaseBlockTemporal`.
        has_class_token: See `BaseBlockTemporal`.
        blocks: See `BaseBlockTemporal`.
        reach: Number r of neighbours on each side.
        gate_init: Value at which the gate of a block starts.
        learn_gate: Whether the gate trains; a fixed gate is a buffer.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from open_clip.transformer import ResidualAttentionBlock
        >>> from ovmlv.models.temporal import BlockParts, NeighborFrameAttention
        >>> block = ResidualAttentionBlock(d_model=16, n_head=2)
        >>> near = NeighborFrameAttention(width=16, depth=1, num_frames=4)
        >>> x = torch.rand(2 * 4, 5, 16)  # 2 videos of 4 frames of 5 tokens
        >>> y = near(x, num_frames=4, index=0, parts=BlockParts(block))
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
        reach: int = 1,
        gate_init: float = 0.0,
        learn_gate: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(width, depth, num_frames, has_class_token, blocks, init_cfg)
        if reach < 1:
            raise ConfigError(f'temporal.reach={reach} leaves no neighbours; use at least 1')
        self.reach = reach
        self.learn_gate = learn_gate
        gates = torch.full((len(self.blocks),), float(gate_init))
        if learn_gate:
            self.gates = nn.Parameter(gates)
        else:
            self.register_buffer('gates', gates)
        self._whole = (
            not learn_gate and gate_init == 1.0
        )  # the spatial attention alone is then not needed

    def check(self, parts: BlockParts) -> None:
        """The keys and values of the block's attention must be accessible."""
        parts.check_core()

    def forward(self, x: Tensor, num_frames: int, index: int, parts: BlockParts) -> Tensor:
        """Run block ``index`` on ``(B * T, N, D)`` with neighbours in its attention."""
        gate = self.gates[self.blocks.index(index)]
        dropout = attention_dropout(parts.block)

        def core(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            mask = self._mask(num_frames, q.shape[0] // num_frames, k.shape[2], q.device)
            near = F.scaled_dot_product_attention(
                q,
                self._gather(k, num_frames),
                self._gather(v, num_frames),
                attn_mask=mask,
                dropout_p=dropout,
            )
            if self._whole:
                return near
            own = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
            return own + gate * (near - own)

        x = x + parts.attend(x, core)
        return x + parts.feed_forward(x)

    def _gather(self, y: Tensor, num_frames: int) -> Tensor:
        """Tokens of all neighbours in a row: ``(B * T, h, N, d) -> (B * T, h, (2 r + 1) N, d)``."""
        y = y.unflatten(0, (-1, num_frames))
        padded = F.pad(y, (0, 0, 0, 0, 0, 0, self.reach, self.reach))
        shifted = [padded[:, i : i + num_frames] for i in range(2 * self.reach + 1)]
        return torch.cat(shifted, dim=3).flatten(0, 1)

    def _mask(self, num_frames: int, batch: int, num_tokens: int, device: torch.device) -> Tensor:
        """Which keys exist, ``(B * T, 1, 1, (2 r + 1) N)``."""
        frames = torch.arange(num_frames, device=device)[:, None]
        frames = frames + torch.arange(-self.reach, self.reach + 1, device=device)
        exists = (frames >= 0) & (frames < num_frames)
        return exists.repeat_interleave(num_tokens, dim=1).repeat(batch, 1)[:, None, None]
