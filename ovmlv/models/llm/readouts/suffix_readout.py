"""Learnable query tokens behind the label, whose own keys and values are constants of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import LabelCache, constants, move
from ovmlv.models.llm.readouts.base_readout import BaseReadout, learnable_tokens, pad_tokens
from ovmlv.registry import MODELS


@MODELS.register_module()
class SuffixReadout(BaseReadout):
    """``[BOS] label q_1..q_P``: the states of the P query tokens.

    The label stands before everything that trains, so its keys and values never change: they are
    computed once without gradient and kept in a bounded cache outside the checkpoint. A step then
    costs P tokens a label, whatever the label's length.

    Args:
        llm: The language model.
        num_tokens: Number P of learnable query tokens.
        init_text: Text whose token embeddings they start from; by default random.
        context: Fixed text around the label, with one ``{}``; the query tokens follow it.
        cache_megabytes: Budget of the label cache (SmolLM2's middle layer: about 25 kB a token).
        **kwargs: See :class:`BaseReadout`.
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

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue every label with the query tokens."""
        entries = self.label_key_values(llm, labels)
        lengths = torch.tensor([len(entry) for entry in entries], device=llm.device)
        stacked = pad_sequence(entries, batch_first=True)  # (c, L, layers, 2, heads, head_width)
        past = [
            (stacked[:, :, i, 0].transpose(1, 2), stacked[:, :, i, 1].transpose(1, 2))
            for i in range(stacked.shape[2])
        ]
        count, num_tokens = len(entries), len(self.tokens)
        mask = torch.arange(stacked.shape[1], device=llm.device)[None] < lengths[:, None]
        full = torch.cat([mask, mask.new_ones(count, num_tokens)], 1)
        positions = lengths[:, None] + torch.arange(num_tokens, device=llm.device)[None]
        embeds = self.tokens[None].expand(count, -1, -1)
        out = llm(embeds, None if mask.all() else full, positions, past)
        return out.states, mask.new_ones(count, num_tokens)

    def label_key_values(self, llm: CausalLLM, labels: Sequence[str]) -> list[Tensor]:
        """Constant keys and values ``(L_i, layers, 2, heads, head_width)`` of every label."""
        found = {label: self.cache.get((label, llm.dtype)) for label in labels}
        missing = [label for label, entry in found.items() if entry is None]
        with constants(llm.device):
            for start in range(0, len(missing), 64):
                chunk = missing[start : start + 64]
                rows, _ = self.label_tokens(llm, chunk, bos=True, extra=len(self.tokens))
                ids, mask = pad_tokens(rows, llm.device)
                pairs = llm(llm.embed(ids), None if mask.all() else mask).key_values
                # (layers, 2, c, heads, L, head_width) -> (c, L, layers, 2, heads, head_width)
                stacked = torch.stack([torch.stack(pair) for pair in pairs]).permute(
                    2, 4, 0, 1, 3, 5
                )
                for i, label in enumerate(chunk):
                    entry = stacked[i, : len(rows[i])]
                    found[label] = entry.clone(memory_format=torch.contiguous_format)
                    self.cache.put((label, llm.dtype), found[label])
        return [move(found[label], llm.device) for label in labels]
