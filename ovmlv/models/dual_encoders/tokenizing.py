"""Tokenizers as open_clip has them: texts to finished rows, padded behind their ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from torch import Tensor

#: Names of tokenizers that need no files, for ``processor=dict(tokenizer=...)``.
BYTES, OPENAI = 'bytes', 'openai'


class RowTokenizer:
    """A tokenizer of transformers, called as those of open_clip are.

    Args:
        tokenizer: Tokenizer of transformers.
        padding: Id that fills rows up.

    Attributes:
        pads_left: Whether the tokenizer itself would put padding before the text.
    """

    def __init__(self, tokenizer: Any, padding: int) -> None:
        self.tokenizer = tokenizer
        self.padding = padding
        self.pads_left: bool = tokenizer.padding_side == 'left'

    def __call__(self, texts: Sequence[str], context_length: int) -> Tensor:
        """Rows ``(N, L)`` of texts, cut where they are longer than ``context_length``."""
        found = self.tokenizer(list(texts), truncation=True, max_length=context_length)
        return _fill(found['input_ids'], self.padding)


class ByteRowTokenizer:
    """One token a byte of UTF-8, between a beginning and an end; for configurations alone.

    The end has the highest id, since CLIP's text tower finds it so.
    """

    padding, begin, end, vocab_size = 0, 1, 258, 259

    def __call__(self, texts: Sequence[str], context_length: int) -> Tensor:
        """Rows ``(N, L)`` of texts, cut where they are longer than ``context_length``."""
        rows = [[byte + 2 for byte in text.encode('utf-8')] for text in texts]
        room = context_length - 2
        return _fill([[self.begin, *row[:room], self.end] for row in rows], self.padding)


def openai_tokenizer() -> Any:
    """CLIP's own tokenizer, which open_clip has as a file."""
    return open_clip.SimpleTokenizer()


def _fill(rows: Sequence[Sequence[int]], padding: int) -> Tensor:
    """Pad to one length, with two more: whoever reads rows sees from them what padding is."""
    length = max(map(len, rows), default=0) + 2
    found = torch.full((len(rows), length), padding, dtype=torch.long)
    for i, row in enumerate(rows):
        found[i, : len(row)] = torch.tensor(row, dtype=torch.long)
    return found
