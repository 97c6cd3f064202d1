"""CLIP's frozen text tower, fed with token embeddings that are partly soft."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import Transformer
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.models.utils.frozen import freeze

from .base_text_tower import BaseTextTower, put_soft_tokens
from .token_rows import TokenRows


class FrozenTextTower(BaseTextTower):
    """Text tower of an open_clip model; gradients pass through it to soft tokens.

    Both layouts of open_clip work: the text tower unpacked into ``CLIP``, and the
    ``TextTransformer`` inside ``CustomTextCLIP`` (SigLIP, and CoCa with its appended class token).

    A causal tower that pools at the end-of-text token cannot see what follows it, so rows are cut
    behind the longest text: they have about ten tokens in place of 77, with the same result.

    Args:
        clip: What ``load_clip(..., part='text')`` returns (``text``, ``tokenizer``, ``embed_dim``).
    """

    def __init__(self, clip: Any) -> None:
        super().__init__()
        core = getattr(clip.text, 'text', clip.text)
        if not hasattr(core, 'token_embedding'):
            raise ConfigError(
                f'head.model_name: a text tower of type {type(core).__name__} has no token '
                'embeddings to prompt; use a CLIP with a text transformer of open_clip (not '
                'hf_model_name)'
            )
        self.core = core
        freeze(self)
        self.embed_dim: int = clip.embed_dim
        self.context_length: int = core.context_length
        self.rows = TokenRows(clip.tokenizer, self.context_length, core.vocab_size)
        self.pool_type: str = getattr(core, 'text_pool_type', None) or core.pool_type
        self.eos_id: int | None = getattr(core, 'text_eos_id', getattr(core, 'eos_id', None))
        # Class token and padding masks: the tower's own forward, with the embeddings swapped
        # inside.
        self._foreign = getattr(core, 'cls_emb', None) is not None or getattr(
            core, 'use_pad_mask', False
        )
        self._cuts = core.attn_mask is not None and self.pool_type in ('argmax', 'eos', 'first')

    @property
    def table(self) -> nn.Embedding:
        """Embeddings of tokens."""
        return self.core.token_embedding

    def layers_to_shard(self) -> list[nn.Module]:
        """The blocks of open_clip's transformer."""
        transformer = self.core.transformer
        return list(transformer.resblocks) if isinstance(transformer, Transformer) else []

    def _encode(self, rows: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
        with trainable_attention(rows.device):
            if self._foreign:
                return self._encode_inside(rows, soft, at)
            return self._encode_core(rows, soft, at)

    def _encode_core(self, rows: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
        core = self.core
        if self._cuts:
            rows = self._cut(rows)
        x = put_soft_tokens(self.embed(rows), soft, at)
        x = x.to(core.transformer.get_cast_dtype())
        length = x.shape[1]
        x = x + core.positional_embedding[:length].to(x.dtype)
        mask = core.attn_mask
        x = core.transformer(x, attn_mask=None if mask is None else mask[:length, :length])
        x = core.ln_final(x)
        return _project(self._pool(x, rows), core.text_projection)

    def _cut(self, rows: Tensor) -> Tensor:
        """Drop the columns behind every row's end-of-text token."""
        return rows[:, : int(self._ends(rows).max()) + 1]

    def _ends(self, rows: Tensor) -> Tensor:
        """Positions ``(N,)`` whose states the tower pools."""
        if self.pool_type == 'argmax':
            return rows.argmax(-1)
        if self.pool_type == 'eos':
            is_end: Tensor = torch.as_tensor(rows == self.eos_id)
            return is_end.int().argmax(-1)
        return torch.full(
            (len(rows),), 0 if self.pool_type == 'first' else rows.shape[1] - 1, device=rows.device
        )

    def _pool(self, x: Tensor, rows: Tensor) -> Tensor:
        return x[torch.arange(len(x), device=x.device), self._ends(rows)]

    def _encode_inside(self, rows: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
        """Run the tower's own forward and replace its token embeddings on the way."""
        handle = self.core.token_embedding.register_forward_hook(
            lambda _, __, out: put_soft_tokens(out, soft, at)
        )
        try:
            out = self.core(rows)
        finally:
            handle.remove()
        return out[0] if isinstance(out, tuple) else out


def _project(x: Tensor, projection: nn.Module | Tensor | None) -> Tensor:
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Module) else x @ projection
