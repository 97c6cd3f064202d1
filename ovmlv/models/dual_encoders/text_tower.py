"""The side of texts of a dual encoder of transformers, fed with embeddings that are partly soft."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.models.clip.base_text_tower import BaseTextTower, put_soft_tokens
from ovmlv.models.clip.token_rows import TokenRows
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.models.utils.frozen import freeze

from .text_sides import TextSide


class DualEncoderTextTower(BaseTextTower):
    """A frozen :class:`.TextSide`; gradients pass through it to soft tokens.

    Rows are cut behind the longest text, unless the tower reads padding as well.

    Args:
        side: The side of texts.
        tokenizer: Callable ``(texts, context_length) -> (N, L)``.
        pads_left: Whether padding stands before the text, where the tower reads it. Other towers
            take it from behind, whatever their tokenizer does: their positions begin at the text.
    """

    def __init__(self, side: TextSide, tokenizer: Any, pads_left: bool = False) -> None:
        super().__init__()
        self.side = side
        self.pads_left = pads_left
        freeze(self)
        self.embed_dim = side.embed_dim
        self.context_length = side.context_length
        self.rows = TokenRows(tokenizer, side.context_length, side.vocab_size, side.has_end)

    @property
    def table(self) -> nn.Embedding:
        """Embeddings of tokens."""
        return self.side.table

    def _encode(self, rows: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
        padding = self.rows.pad_id
        places = torch.arange(1, rows.shape[1] + 1, device=rows.device)
        lengths = ((rows != padding) * places).amax(1, keepdim=True)
        if not self.side.whole_rows:
            # One more where the padding is the end of a row, too.
            rows = rows[:, : int(lengths.max()) + self.side.has_end]
        elif self.pads_left:
            free = rows.shape[1] - lengths
            rows = rows.gather(1, (places - 1 - free) % rows.shape[1])
            at = None if at is None else at + free
        handle = self.table.register_forward_hook(lambda _, __, out: put_soft_tokens(out, soft, at))
        try:
            with trainable_attention(rows.device):
                return self.side(rows, padding)
        finally:
            handle.remove()
