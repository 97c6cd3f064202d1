"""Attention across frames, beside the spatial attention of CLIP's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.attention import attend_frames
from ovmlv.registry import MODELS

from .base_block_temporal import BaseBlockTemporal
from .block_parts import BlockParts
from .positions import TemporalPositions


@MODELS.register_module()
class ParallelTemporalAttention(BaseBlockTemporal):
    """``x = x + MSA_s(LN x) + g * MSA_t(LN_t x + pos_t)``, then the block's MLP (Gupta et al., ECCV
    2024).

    Each token position, the class token's included, attends over the T frames at that position. At
    initialisation, the tower is CLIP itself, because the gate is zero (our reading) or, with
    ``zero_init='proj'``, because the output projection is zero and the gate is one. The first
    gradient of a scalar gate has a random direction and may keep the gate at zero for hundreds of
    steps. The projection finds its direction in the first step, which suits short runs.

    Args:
        width: Given by the backbone, like the next three.
        depth: See `BaseBlockTemporal`.
        num_frames: See `BaseBlockTemporal`.
        has_class_token: See `BaseBlockTemporal`.
        blocks: See `BaseBlockTemporal`.
        width_ratio: Width inside the branch, divided by the tower's.
        num_heads: Heads of the branch; None takes one for each 64 channels.
        gate: Kind of gate: one gate for a block, or one for each channel.
        zero_init: Part that starts at zero: the ``gate``, or the output projection ``proj``.
        gate_init: Value at which the gate starts, if it is not that of `zero_init`.
        position_scale: Root mean square of the sinusoids that the learnable positions start from;
            tokens have about 1.
        dropout: Dropout of the attention weights.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from open_clip.transformer import ResidualAttentionBlock
        >>> from ovmlv.models.temporal import BlockParts, ParallelTemporalAttention
        >>> block = ResidualAttentionBlock(d_model=16, n_head=2)
        >>> branch = ParallelTemporalAttention(width=16, depth=1, num_frames=4)
        >>> x = torch.rand(2 * 4, 5, 16)  # 2 videos of 4 frames of 5 tokens
        >>> y = branch(x, num_frames=4, index=0, parts=BlockParts(block))
        >>> torch.allclose(y, block(x), atol=1e-5)  # its gate starts at 0
        True
    """

    def __init__(
        self,
        width: int,
        depth: int,
        num_frames: int,
        has_class_token: bool = True,
        blocks: str | int | Sequence[int] = 'last-4',
        width_ratio: float = 1.0,
        num_heads: int | None = None,
        gate: Literal['scalar', 'channel'] = 'scalar',
        zero_init: Literal['gate', 'proj'] = 'gate',
        gate_init: float | None = None,
        position_scale: float = 0.5,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(width, depth, num_frames, has_class_token, blocks, init_cfg)
        if gate not in ('scalar', 'channel'):
            raise ConfigError(f"temporal.gate={gate!r} is unknown; use 'scalar' or 'channel'")
        if zero_init not in ('gate', 'proj'):
            raise ConfigError(f"temporal.zero_init={zero_init!r} is unknown; use 'gate' or 'proj'")
        if gate_init is None:
            gate_init = float(zero_init == 'proj')
        inner = round(width * width_ratio)
        heads = num_heads or max(1, inner // 64)
        if inner < 1 or inner % heads:
            raise ConfigError(
                f'temporal.width_ratio={width_ratio} makes {inner} of {width} channels, which '
                f'{heads} heads do not divide; change width_ratio or num_heads'
            )
        self.branches = nn.ModuleDict(
            {
                str(i): _TemporalBranch(
                    width,
                    inner,
                    heads,
                    num_frames,
                    width if gate == 'channel' else 1,
                    gate_init,
                    position_scale,
                    dropout,
                )
                for i in self.blocks
            }
        )
        if zero_init == 'proj':
            branch: Any
            for branch in self.branches.values():
                nn.init.zeros_(branch.proj.weight)

    def forward(self, x: Tensor, num_frames: int, index: int, parts: BlockParts) -> Tensor:
        """Run block ``index`` on ``(B * T, N, D)`` with the branch beside its attention."""
        x = x + parts.attend(x) + self.branches[str(index)](x, num_frames)
        return x + parts.feed_forward(x)


class _TemporalBranch(nn.Module):
    """``g * MSA_t(LN_t x + pos_t)`` of one block."""

    def __init__(
        self,
        width: int,
        inner: int,
        num_heads: int,
        num_frames: int,
        num_gates: int,
        gate_init: float,
        position_scale: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.norm = nn.LayerNorm(width)
        self.positions = TemporalPositions(num_frames, width, position_scale)
        self.qkv = nn.Linear(width, 3 * inner)
        self.proj = nn.Linear(inner, width)
        self.gate = nn.Parameter(torch.full((num_gates,), float(gate_init)))
        for layer in (self.qkv, self.proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Attend across frames: ``(B * T, N, D) -> (B * T, N, D)``."""
        q, k, v = self._project(x, num_frames)
        dropout = self.dropout if self.training else 0.0
        y = attend_frames(q, k, v, dropout)
        num_tokens = x.shape[1]
        y = y.unflatten(0, (-1, num_tokens)).permute(0, 3, 1, 2, 4).flatten(3)  # B T N inner
        return self.gate * self.proj(y).flatten(0, 1)

    def attention(self, x: Tensor, num_frames: int) -> Tensor:
        """Weights ``(B, N, heads, T, T)`` with which each frame reads the frames, for drawings."""
        q, k, _ = self._project(x, num_frames)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return weights.unflatten(0, (-1, x.shape[1]))

    def _project(self, x: Tensor, num_frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values ``(B * N, heads, T, d)``."""
        y = self.norm(x).unflatten(0, (-1, num_frames))
        y = y + self.positions(num_frames)[:, None].to(y.dtype)
        qkv = self.qkv(y).unflatten(-1, (3, self.num_heads, -1))  # B T N 3 h d
        q, k, v = qkv.permute(3, 0, 2, 4, 1, 5).flatten(1, 2)
        return q, k, v
