"""A few soft autoregressive steps behind the label: the LLM speaks on, differentiably."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import expand, unflatten
from ovmlv.models.llm.readouts.base_readout import pad_tokens
from ovmlv.models.llm.readouts.prefix_readout import PrefixReadout
from ovmlv.registry import MODELS


@MODELS.register_module()
class GenerateReadout(PrefixReadout):
    """``[BOS] p_1..p_P label g_1..g_K``: the states of K soft autoregressive steps.

    Step 1 reads the state of the label's last token; step k + 1 that of a soft token made from step
    k. Sampling a word would cut the gradient, so the next input is

    * ``feedback='vocabulary'``: the embedding expected under the LLM's own next-word distribution,
      ``softmax(lm_head(state) / temperature) @ embeddings``. Nothing new is trained and the soft
      token lies in the span of real words; the whole LLM has to run, whichever layer is read.
    * ``feedback='projection'``: a learned linear map of the (normalised) state that is read. The
      layers behind the one that is read are not needed.

    The prefix is shared by all labels as in :class:`PrefixReadout`, and every step continues the
    keys and values of the steps before it.

    Args:
        llm: The language model.
        num_steps: Number K of states.
        feedback: ``'vocabulary'`` or ``'projection'``.
        temperature: Of the distribution over words; lower is closer to greedy decoding.
        **kwargs: See :class:`PrefixReadout`.
    """

    def __init__(
        self,
        llm: CausalLLM,
        num_steps: int = 4,
        feedback: str = 'vocabulary',
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if feedback not in ('vocabulary', 'projection'):
            raise ConfigError(
                f"readout.feedback={feedback!r} is unknown; choose 'vocabulary' or 'projection'"
            )
        if num_steps < 1 or temperature <= 0:
            raise ConfigError(
                f'readout: num_steps={num_steps} and temperature={temperature} must be positive'
            )
        self.needs_whole_llm = feedback == 'vocabulary'
        super().__init__(llm, **kwargs)
        self.num_steps = num_steps
        self.temperature = temperature
        self.projection: nn.Module | None = None
        # One step feeds nothing back: a projection would be a parameter without a gradient.
        if feedback == 'projection' and num_steps > 1:
            linear = nn.Linear(self.state_size, llm.embed_size)
            # Outputs start with the spread of real word embeddings.
            nn.init.normal_(
                linear.weight, std=float(llm.embedding.weight.float().std()) * self.state_size**-0.5
            )
            nn.init.zeros_(linear.bias)
            norm = nn.LayerNorm(self.state_size, elementwise_affine=False)
            self.projection = nn.Sequential(norm, linear).to(llm.device)

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue the shared prefix with every label, then with its own soft tokens."""
        past = unflatten(shared)
        prefix = past[0][0].shape[-2]
        rows, _ = self.label_tokens(llm, labels, bos=False, extra=prefix + self.num_steps - 1)
        ids, mask = pad_tokens(rows, llm.device)
        count, ends = len(rows), mask.sum(1) - 1
        full = torch.cat([mask.new_ones(count, prefix), mask], 1)
        padded = not bool(mask.all())
        out = llm(llm.embed(ids), full if padded else None, past=expand(past, count))
        each = torch.arange(count, device=llm.device)
        state = out.states[each, ends]
        last = None if out.last is None else out.last[each, ends]
        states = [state]
        for step in range(1, self.num_steps):
            token = self.next_token(llm, state, last)[:, None]
            full = torch.cat([full, full.new_ones(count, 1)], 1)
            positions = (prefix + ends + step)[:, None]
            out = llm(token, full if padded else None, positions, out.key_values)
            state = out.states[:, 0]
            last = None if out.last is None else out.last[:, 0]
            states.append(state)
        return torch.stack(states, 1), mask.new_ones(count, self.num_steps)

    def next_token(self, llm: CausalLLM, state: Tensor, last: Tensor | None) -> Tensor:
        """Soft input embedding ``(c, H)`` of the next step."""
        if self.projection is not None:
            return self.projection(state.float())
        assert last is not None
        return llm.expected_embedding(last, self.temperature)
