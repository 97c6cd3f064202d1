"""The trainable part of the label encoder: LLM states -> soft tokens for CLIP's text tower."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.registry import MODELS


class MultiHeadAttention(nn.Module):
    """Attention of queries ``(C, Q, D)`` to a context ``(C, L, D)`` with a mask."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        # A bias of the keys shifts all scores of a query alike, so softmax gives it no gradient.
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend; ``mask`` is ``(C, L)``, True where the context is valid."""
        q, k, v = (
            layer(source).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer, source in ((self.query, x), (self.key, context), (self.value, context))
        )
        mask = None if mask is None else mask[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).flatten(2))


class PromptingBlock(nn.Module):
    """Pre-norm block: self-attention of the queries, cross-attention to the states, MLP."""

    def __init__(self, width: int, num_heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(width)
        self.attn_self = MultiHeadAttention(width, num_heads)
        self.norm_cross = nn.LayerNorm(width)
        self.attn_cross = MultiHeadAttention(width, num_heads)
        self.norm_mlp = nn.LayerNorm(width)
        hidden = int(width * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """Update queries ``(C, Q, D)`` from the context ``(C, L, D)``."""
        y = self.norm_self(x)
        x = x + self.dropout(self.attn_self(y, y))
        x = x + self.dropout(self.attn_cross(self.norm_cross(x), context, mask))
        return x + self.dropout(self.mlp(self.norm_mlp(x)))


@MODELS.register_module()
class PromptingTransformer(nn.Module):
    """Learned queries attend to an LLM's states and give residuals on a template's tokens.

    The output projection starts at zero, so soft tokens begin exactly as the template's embeddings,
    and in the first step only that projection has a gradient other than zero. The states are
    layer-normed, because LLM states hold outliers (SmolLM2: deviation 2.2, largest 49), whereas
    CLIP's tokens have deviation 0.1.

    Args:
        state_size: Width H of the LLM's states.
        token_size: Width W of CLIP's text tokens.
        token_std: Deviation of CLIP's token embeddings. It is the unit of the residual, so that a
            learning rate means the same for every CLIP.
        num_soft_tokens: Number S of soft tokens in each group.
        num_groups: Number G of attribute groups, each with queries of its own.
        width: Width of the blocks.
        num_layers: Number of blocks.
        num_heads: Number of attention heads; it must divide ``width``.
        mlp_ratio: Hidden width of the MLPs over ``width``.
        dropout: Dropout on every residual branch.
        residual_scale: Factor on the residual.

    Examples:
        >>> import torch
        >>> from ovmlv.models.llm import PromptingTransformer
        >>> prompter = PromptingTransformer(state_size=32, token_size=64, width=16)
        >>> states, mask = torch.rand(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)  # 2 labels
        >>> residuals = prompter(states, mask)
        >>> residuals.shape, residuals.any().item()  # all are zero at the start
        (torch.Size([2, 1, 3, 64]), False)
    """

    def __init__(
        self,
        state_size: int,
        token_size: int,
        token_std: float = 1.0,
        num_soft_tokens: int = 3,
        num_groups: int = 1,
        width: int = 256,
        num_layers: int = 2,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ConfigError(
                f'prompter.width={width} must be a multiple of prompter.num_heads={num_heads}'
            )
        for name, value in (('num_soft_tokens', num_soft_tokens), ('num_layers', num_layers)):
            if value < 1:
                raise ConfigError(f'prompter.{name}={value} must be at least 1')
        self.num_soft_tokens = num_soft_tokens
        self.num_groups = num_groups
        self.scale = residual_scale * token_std
        self.norm_states = nn.LayerNorm(state_size)
        self.project_states = nn.Linear(state_size, width)
        self.queries = nn.Parameter(torch.randn(num_groups * num_soft_tokens, width))
        self.blocks = nn.ModuleList(
            PromptingBlock(width, num_heads, mlp_ratio, dropout) for _ in range(num_layers)
        )
        self.norm_out = nn.LayerNorm(width)
        self.project_out = nn.Linear(width, token_size)
        nn.init.zeros_(self.project_out.weight)
        nn.init.zeros_(self.project_out.bias)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Compute residuals for the soft tokens.

        Args:
            states: ``(C, L, H)`` LLM states.
            mask: ``(C, L)`` True where a state is valid.

        Returns:
            Residuals ``(C, G, S, W)``.
        """
        # Readouts give float32; this part may have been made half precision.
        context = self.project_states(self.norm_states(states.to(self.queries.dtype)))
        attend = None if bool(mask.all()) else mask
        x = self.queries.expand(len(states), -1, -1)
        with trainable_attention(x.device):
            for block in self.blocks:
                x = block(x, context, attend)
        residual = self.project_out(self.norm_out(x)) * self.scale
        return residual.unflatten(1, (self.num_groups, self.num_soft_tokens))
