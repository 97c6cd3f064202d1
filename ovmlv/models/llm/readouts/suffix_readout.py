"""Learnable query tokens behind the label; the label's keys and values are constant in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.continuing import groups_of, stack_right
from ovmlv.models.llm.kv_cache import LabelCache, constants, move, pack, unpack
from ovmlv.models.utils.sharding import in_step
from ovmlv.registry import MODELS

from .base_readout import (
    BaseReadout,
    in_order,
    learnable_tokens,
    pad_tokens,
)


@MODELS.register_module()
class SuffixReadout(BaseReadout):
    """``[BOS] label q_1..q_P``: the states of the P query tokens.

    The label comes before everything that trains, so its keys and values never change. They are
    computed once without gradient and kept in a bounded cache outside the checkpoint. A step then
    costs P tokens for each label, whatever the label's length.

    Args:
        llm: The language model.
        num_tokens: Number P of learnable query tokens.
        init_text: Text whose token embeddings they start from; by default, they start at random.
        context: Fixed text around the label, with one ``{}``; the query tokens follow it.
        cache_megabytes: Budget of the label cache (SmolLM2's middle layer: about 25 kB for each
            token).
        **kwargs: See :class:`BaseReadout`.

    Examples:
        >>> from ovmlv.models.llm import CausalLLM, SuffixReadout
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> states, mask = SuffixReadout(llm, num_tokens=4)(llm, ['dog', 'red cat'])
        >>> states.shape, mask.all().item()  # 4 query tokens, whatever the label's length
        (torch.Size([2, 4, 32]), True)
    """

    def __init__(
        self,
        llm: CausalLLM,
        num_tokens: int = 4,
        init_text: str | None = None,
        context: str = 'A video of a {}.',
        cache_megabytes: float = 512.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(llm, context=context, **kwargs)
        self.tokens = learnable_tokens(llm, num_tokens, init_text)
        self.cache = LabelCache(cache_megabytes)

    @property
    def extra_tokens(self) -> int:
        """The learnable tokens behind the label."""
        return len(self.tokens)

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue every label with the query tokens."""
        entries = self.label_key_values(llm, labels)
        groups = groups_of(llm, entries)
        parts = []
        for group in groups:
            rows, padding = stack_right([entries[i] for i in group])
            tokens = self.tokens[None].expand(len(group), -1, -1)
            parts.append(llm(tokens, unpack(rows, llm.past_shapes), padding).states)
        states = in_order(parts, [i for group in groups for i in group])
        return states, torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)

    def label_key_values(self, llm: CausalLLM, labels: Sequence[str]) -> list[Tensor]:
        """Constant keys and values ``(L_i, D)`` of every label, see :func:`~.kv_cache.pack`."""
        cache = self.cache
        assert cache is not None
        found: dict[str, Any] = {label: cache.get((label, llm.dtype)) for label in labels}
        missing = [label for label, entry in found.items() if entry is None]
        with constants(llm.device):
            chunks = [missing[start : start + 64] for start in range(0, len(missing), 64)]
            for chunk, wanted in in_step(llm, chunks, list(labels[:1])):
                rows, _ = self.label_tokens(llm, chunk, bos=True, extra=len(self.tokens))
                ids, _ = pad_tokens(rows, llm.device)
                packed = pack(llm(llm.embed(ids)).key_values)
                for i, label in enumerate(chunk if wanted else ()):
                    found[label] = packed[i, : len(rows[i])].clone()
                    cache.put((label, llm.dtype), found[label])
        return [move(found[label], llm.device) for label in labels]
