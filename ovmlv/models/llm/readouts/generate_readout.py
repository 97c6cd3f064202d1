"""A few soft autoregressive steps behind the label: the LLM continues the text, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.continuing import groups_of, read_rows
from ovmlv.models.llm.kv_cache import KeyValues, unflatten
from ovmlv.registry import MODELS

from .base_readout import in_order
from .prefix_readout import PrefixReadout


@MODELS.register_module()
class GenerateReadout(PrefixReadout):
    """``[BOS] p_1..p_P label g_1..g_K``: the states of K soft autoregressive steps.

    This is one reading of the *output token sequence* that Gupta et al. (arXiv 2407.09073) are
    quoted with; :class:`SequenceReadout` is another. Step 1 reads the state of the label's last
    token, and step k + 1 reads that of a soft token made from step k. Sampling a word would cut the
    gradient, so the next input is one of these:

    * ``feedback='vocabulary'``: the embedding expected under the LLM's own next-word distribution,
      ``softmax(logits / temperature) @ embeddings``. Nothing new is trained, and the soft token
      lies in the span of real words. The whole LLM has to run, whichever layer is read.
    * ``feedback='projection'``: a learned linear map of the (normalised) state that is read. The
      layers behind the one that is read are not needed.

    The prefix is shared by all labels as in :class:`PrefixReadout`, and every step continues the
    keys and values of the steps before it.

    Args:
        llm: The language model.
        num_steps: Number K of states.
        feedback: ``'vocabulary'`` or ``'projection'``.
        temperature: Temperature of the distribution over words; lower is closer to greedy decoding.
        **kwargs: See :class:`PrefixReadout`.

    Examples:
        >>> from ovmlv.models.llm import CausalLLM, GenerateReadout
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> readout = GenerateReadout(llm, num_steps=3, num_tokens=2)
        >>> readout(llm, ['dog', 'red cat'])[0].shape  # 3 steps behind each label
        torch.Size([2, 3, 32])
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
        if self.needs_whole_llm and not llm.abilities.reads_logits:
            raise ConfigError(
                f"readout GenerateReadout: feedback='vocabulary' does not work with {llm.family}, "
                "whose logits are no function of its last state; use feedback='projection'"
            )
        super().__init__(llm, **kwargs)
        self.num_steps = num_steps
        self.temperature = temperature
        self.projection: nn.Sequential | None = None
        # One step feeds nothing back: a projection would be a parameter without a gradient.
        if feedback == 'projection' and num_steps > 1:
            linear = nn.Linear(self.state_size, llm.embed_size)
            # Outputs start with the spread of real word embeddings.
            with torch.no_grad():
                spread = float(llm.embedding_table().float().std())
            nn.init.normal_(linear.weight, std=spread * self.state_size**-0.5)
            nn.init.zeros_(linear.bias)
            norm = nn.LayerNorm(self.state_size, elementwise_affine=False)
            self.projection = nn.Sequential(norm, linear).to(llm.device)

    @property
    def extra_tokens(self) -> int:
        """The learnable tokens before the label, and a token for every step but the first."""
        return super().extra_tokens + self.num_steps - 1

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue the shared prefix with every label, then with its own soft tokens."""
        past = unflatten(shared)
        prefix = past[0][0].shape[-2]
        rows, _ = self.label_tokens(llm, labels, bos=False, extra=prefix + self.num_steps - 1)
        groups = groups_of(llm, rows)
        parts = [self.speak(llm, [rows[i] for i in group], past) for group in groups]
        states = in_order(parts, [i for group in groups for i in group])
        return states, torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)

    def speak(self, llm: CausalLLM, rows: Sequence[Sequence[int]], past: KeyValues) -> Tensor:
        """States ``(c, K, H)`` of the steps behind token rows."""
        ends = read_rows(llm, rows, past)
        states, last, key_values = [ends.states], ends.last, ends.key_values
        for _ in range(1, self.num_steps):
            token = self.next_token(llm, states[-1], last)[:, None]
            out = llm(token, key_values, ends.padding)
            last = None if out.last is None else out.last[:, 0]
            states.append(out.states[:, 0])
            key_values = out.key_values
        return torch.stack(states, 1)

    def next_token(self, llm: CausalLLM, state: Tensor, last: Tensor | None) -> Tensor:
        """Soft input embedding ``(c, H)`` of the next step."""
        if self.projection is not None:
            return self.projection(state.to(next(self.projection[1].parameters()).dtype))
        assert last is not None
        return llm.expected_embedding(last, self.temperature)
