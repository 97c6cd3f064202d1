"""Token rows of any open_clip tokenizer: special tokens around contents that we can rearrange."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ovmlv.errors import ConfigError, VocabularyError

_MAX_KNOWN = 100_000  # texts whose tokens are kept


class LabelTokens(NamedTuple):
    """A label inside a template, as three runs of token ids."""

    before: list[int]
    label: list[int]
    after: list[int]


class TokenRows:
    """Splits a tokenizer's rows into specials and content, and builds rows from contents.

    open_clip tokenizers only map a text to a finished row ``head + content + tail + padding``
    (CLIP: ``[SOS] .. [EOS] 0 0``; SigLIP: ``.. 1 1``, where end and padding are one id). They cut
    it at the context length without a warning. The row of the empty text shows the special tokens.

    Args:
        tokenizer: Callable ``(texts, context_length) -> (N, context_length)``.
        context_length: Length of a row.
        vocab_size: Number of ids that the text tower knows.
        has_end: Whether a token of the end belongs to a row, be it that of the padding.
    """

    def __init__(
        self, tokenizer: Any, context_length: int, vocab_size: int, has_end: bool = True
    ) -> None:
        self.tokenizer = tokenizer
        self.context_length = context_length
        self.vocab_size = vocab_size
        self.has_end = has_end
        self._known: dict[str, list[int]] = {}
        self._ample = 4 * context_length + 64  # long enough to see what would be cut
        empty = self._raw([''])[0]
        if empty[-1] != empty[-2]:
            raise ConfigError(
                f'head.model_name: the tokenizer {type(tokenizer).__name__} ends its rows with a '
                'special token behind the padding, which is not supported; use another CLIP'
            )
        self.pad_id: int = empty[-1]
        specials = self._strip(empty)
        # Whatever also begins the row of a text is the head, the rest closes it.
        probe = self._strip(self._raw(['a'])[0])
        self.num_head = 0
        while (
            self.num_head < min(len(specials), len(probe))
            and specials[self.num_head] == probe[self.num_head]
        ):
            self.num_head += 1
        self.head, self.tail = specials[: self.num_head], specials[self.num_head :]

    @property
    def max_content(self) -> int:
        """Most content tokens of a row, less one if the end token is also the padding."""
        return self.context_length - len(self.head) - max(len(self.tail), int(self.has_end))

    def contents(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text without specials and padding, uncut."""
        # Training asks for the same labels in every step.
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(new) > _MAX_KNOWN:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        for text, row in zip(new, self._raw(new) if new else [], strict=True):
            row = self._strip(row)
            self._known[text] = row[len(self.head) : len(row) - len(self.tail)]
        return [list(self._known[text]) for text in texts]

    def split(self, template: str, labels: Sequence[str]) -> list[LabelTokens]:
        """Tokenise each label inside the template, and separate its tokens from the template's."""
        left, right = template.split('{}')
        before, after = self.contents([left.rstrip(), right.lstrip()])
        rows = self.contents([template.replace('{}', label) for label in labels])
        out = []
        for label, row in zip(labels, rows, strict=True):
            end = len(row) - len(after)
            if row[: len(before)] != before or row[end:] != after or end < len(before):
                raise ConfigError(
                    f'head.template={template!r}: the tokenizer merges it with label {label!r}; '
                    "put spaces around '{}'"
                )
            if end == len(before):
                raise VocabularyError(
                    f'label {label!r} has no tokens for CLIP; give it letters or digits'
                )
            out.append(LabelTokens(before, row[len(before) : end], after))
        return out

    def fit(self, ids: list[int], text: str, truncate: bool, keep: int = 0) -> list[int]:
        """Make ``ids`` fit into a row together with ``keep`` others, or say what is too long."""
        room = self.max_content - keep
        if len(ids) <= room:
            return ids
        shown = text if len(text) <= 40 else text[:37] + '...'
        if not truncate:
            raise VocabularyError(
                f"label {shown!r} needs {len(ids)} tokens, CLIP's context has room for {room}; "
                'shorten it or set truncate=True'
            )
        warnings.warn(
            f"label {shown!r} is cut from {len(ids)} to {room} tokens to fit CLIP's context",
            stacklevel=2,
        )
        return ids[:room]

    def build(self, contents: Sequence[Sequence[int]]) -> Tensor:
        """Rows ``(N, context_length)`` of contents that fit."""
        rows = torch.full((len(contents), self.context_length), self.pad_id, dtype=torch.long)
        for i, content in enumerate(contents):
            row = [*self.head, *content, *self.tail]
            assert len(row) <= self.context_length
            rows[i, : len(row)] = torch.tensor(row)
        return rows

    def _raw(self, texts: Sequence[str]) -> list[list[int]]:
        rows = self.tokenizer(list(texts), context_length=self._ample)
        top = int(rows.max())
        if top >= self.vocab_size:
            raise ConfigError(
                f'head.model_name: its tokenizer gives id {top}, but the text tower has '
                f'{self.vocab_size} tokens; the architecture and the tokenizer do not belong '
                'together'
            )
        return rows.tolist()

    def _strip(self, row: list[int]) -> list[int]:
        end = len(row)
        while end and row[end - 1] == self.pad_id:
            end -= 1
        return row[:end]
