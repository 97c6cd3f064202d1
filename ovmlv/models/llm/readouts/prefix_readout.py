"""Learnable tokens in front of the label, whose states are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import expand, flatten, unflatten
from ovmlv.registry import MODELS

from .base_readout import BaseReadout, learnable_tokens, pad_tokens


@MODELS.register_module()
class PrefixReadout(BaseReadout):
    """``[BOS] p_1..p_P label``: the states of the label's tokens.

    Quoted of Gupta et al. (arXiv 2407.09073): learnable prefixes before the label, in a frozen LLM.
    Our reading: the states of the label's tokens are read, in a middle layer. The decoder is
    causal, so the prefix does not see the label. Its keys and values are computed once in each
    call, with batch 1, and shown to every label as a view. Autograd sums their gradients over the
    labels, and they reach the learnable tokens through the frozen LLM.

    Args:
        llm: The language model.
        num_tokens: Number P of learnable tokens.
        init_text: Text whose token embeddings they start from; by default, they start at random.
        **kwargs: See :class:`BaseReadout`. ``context`` starts with a space by default, because
            words inside a sentence are tokenised with one.

    Examples:
        >>> from ovmlv.models.llm import CausalLLM, PrefixReadout
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> states, mask = PrefixReadout(llm, num_tokens=2)(llm, ['dog', 'red cat'])
        >>> states.shape, mask.sum(1)  # this LLM reads bytes, here of " dog" and " red cat"
        (torch.Size([2, 8, 32]), tensor([4, 8]))
    """

    def __init__(
        self, llm: CausalLLM, num_tokens: int = 16, init_text: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(llm, **kwargs)
        self.tokens = learnable_tokens(llm, num_tokens, init_text)

    @property
    def extra_tokens(self) -> int:
        """The learnable tokens before the label."""
        return len(self.tokens)

    def shared(self, llm: CausalLLM) -> tuple[Tensor, ...]:
        """Keys and values of the prefix, batch 1."""
        return tuple(flatten(llm(self.prefix(llm)).key_values))

    def prefix(self, llm: CausalLLM) -> Tensor:
        """Embeddings ``(1, P, H)`` of the prefix, one more with a beginning-of-sequence token."""
        tokens = self.tokens[None].to(llm.dtype)
        if not llm.bos_ids:
            return tokens
        bos = llm.embed(torch.tensor([llm.bos_ids], device=llm.device))
        return torch.cat([bos, tokens], 1)

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue the shared prefix with every label."""
        past = unflatten(shared)
        length = past[0][0].shape[-2]
        rows, starts = self.label_tokens(llm, labels, bos=False, extra=length)
        ids, mask = pad_tokens(rows, llm.device)
        out = llm(llm.embed(ids), past=expand(past, len(rows)))
        begin = torch.tensor(starts, device=mask.device)[:, None]
        return out.states, mask & (torch.arange(mask.shape[1], device=mask.device)[None] >= begin)
