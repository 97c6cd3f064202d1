"""What all text towers share: rows of tokens in, of which some may be soft."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .token_rows import TokenRows


class BaseTextTower(nn.Module):
    """A frozen text tower; gradients pass through it to soft tokens.

    A subclass gives ``embed_dim``, ``context_length``, ``rows``, :attr:`table` and ``_encode``.

    Attributes:
        embed_dim: E.
        context_length: Longest row.
        rows: Rows of texts.
    """

    embed_dim: int
    context_length: int
    rows: TokenRows

    @property
    def table(self) -> nn.Embedding:
        """Embeddings of tokens."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Width W of the token embeddings."""
        return self.table.weight.shape[1]

    @property
    def token_std(self) -> float:
        """Deviation of the token embeddings."""
        return float(self.table.weight.float().std())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.table.weight.device

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings ``(..., W)`` of ids ``(...)``."""
        return self.table(ids)

    def forward(
        self,
        rows: Tensor,
        soft: Tensor | None = None,
        at: Tensor | None = None,
        chunk_size: int | None = None,
        grad_checkpointing: bool = False,
    ) -> Tensor:
        """Encode rows of tokens.

        Args:
            rows: ``(N, context_length)`` token ids. At the places of soft tokens, the ids are those
                of the template, because pooling looks at them.
            soft: ``(N, S, W)`` embeddings that replace those of the tokens at ``at``.
            at: ``(N, S)`` positions of the soft tokens.
            chunk_size: Rows in each pass; None takes all of them at once.
            grad_checkpointing: Whether to compute a chunk again in the backward pass, to save
                memory.

        Returns:
            ``(N, E)`` embeddings, not normalised (open_clip's ``encode_text(normalize=False)``).
        """
        size = chunk_size or max(len(rows), 1)
        parts = []
        for start in range(0, len(rows), size):
            cut = slice(start, start + size)
            args = (rows[cut], None if soft is None else soft[cut], None if at is None else at[cut])
            if grad_checkpointing and soft is not None and torch.is_grad_enabled():
                parts.append(
                    checkpoint(self._encode, *args, use_reentrant=False, preserve_rng_state=False)
                )
            else:
                parts.append(self._encode(*args))
        return torch.cat(parts)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str], truncate: bool = False) -> Tensor:
        """Unit vectors ``(N, E)`` of plain texts."""
        contents = [
            self.rows.fit(ids, text, truncate)
            for ids, text in zip(self.rows.contents(texts), texts, strict=True)
        ]
        parts = [
            self(self.rows.build(contents[start : start + 256]).to(self.device))
            for start in range(0, len(contents), 256)
        ]
        return F.normalize(torch.cat(parts).float(), dim=-1)

    def _encode(self, rows: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
        """Embeddings ``(N, E)`` of rows, as :meth:`forward` has them."""
        raise NotImplementedError


def put_soft_tokens(embeddings: Tensor, soft: Tensor | None, at: Tensor | None) -> Tensor:
    """Replace the embeddings at positions ``at``."""
    if soft is None or at is None:
        return embeddings
    each = torch.arange(len(embeddings), device=embeddings.device)[:, None]
    return embeddings.index_put((each, at), soft.to(embeddings.dtype))
