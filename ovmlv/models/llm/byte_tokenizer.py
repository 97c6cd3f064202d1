"""A tokenizer of bytes, for language models that come as a bare configuration."""

from __future__ import annotations

from collections.abc import Sequence


class ByteTokenizer:
    """One token a byte of UTF-8, after three special tokens (padding, beginning, end).

    Randomly initialised LLMs (tests, ablations) need *some* tokenizer, and there may be no file of
    one.
    """

    pad_token_id = 0
    bos_token_id = 1
    eos_token_id = 2
    vocab_size = 259
    chat_template = None

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Token ids of ``text``."""
        ids = [byte + 3 for byte in text.encode('utf-8')]
        return [self.bos_token_id, *ids] if add_special_tokens else ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Text of token ids; ids that are not a byte are left out."""
        return bytes(int(i) - 3 for i in ids if 3 <= int(i) < 259).decode('utf-8', errors='replace')
