"""All that the LLM puts out for learnable tokens and a label, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.models.llm.causal_llm import CausalLLM, LLMOutput
from ovmlv.models.llm.kv_cache import expand, flatten, unflatten
from ovmlv.registry import MODELS

from .base_readout import pad_tokens
from .prefix_readout import PrefixReadout


@MODELS.register_module()
class SequenceReadout(PrefixReadout):
    """``[BOS] p_1..p_P label``: the LLM's output for every token, those of the prefix included.

    Quoted of Gupta et al. (arXiv 2407.09073): the prompting transformer reads the *output token
    sequence* of the LLM. Our reading: one output for each token that the LLM reads, in the order of
    the tokens, without the constant one of ``[BOS]``. What stands at a place is one of these:

    * ``output='states'``: the state of the LLM's last layer.
    * ``output='tokens'``: the next token that the LLM predicts there, as the embedding expected
      under its distribution over words, ``softmax(logits / temperature) @ embeddings``. This is the
      detokenise-tokenise step with a gradient. The whole LLM has to run.

    :class:`GenerateReadout` is a second reading: the LLM goes on writing behind the label.
    :class:`PrefixReadout` reads less: the label's states alone, from a middle layer.

    Args:
        llm: The language model.
        output: What is read at each token: ``'states'`` or ``'tokens'``.
        temperature: Temperature of the distribution over words; lower is closer to the most
            probable word.
        layer: Layer of the states, see :class:`BaseReadout`; the last one is the LLM's output.
        **kwargs: See :class:`PrefixReadout`.

    Raises:
        ConfigError: ``output`` or ``temperature`` make no sense, ``output='tokens'`` is to be read
            from a layer that is not the last, or this LLM's states do not give its logits.

    Examples:
        >>> from ovmlv.models.llm import CausalLLM, SequenceReadout
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> states, mask = SequenceReadout(llm, num_tokens=2)(llm, ['dog', 'red cat'])
        >>> states.shape, mask.sum(1)  # 2 learnable tokens, then bytes of " dog" and " red cat"
        (torch.Size([2, 10, 32]), tensor([ 6, 10]))
    """

    def __init__(
        self,
        llm: CausalLLM,
        output: str = 'states',
        temperature: float = 1.0,
        layer: int | None = -1,
        **kwargs: Any,
    ) -> None:
        if output not in ('states', 'tokens'):
            raise ConfigError(f"readout.output={output!r} is unknown; choose 'states' or 'tokens'")
        if not temperature > 0:
            raise ConfigError(f'readout.temperature={temperature} must be positive')
        self.needs_whole_llm = output == 'tokens'
        if self.needs_whole_llm and not llm.abilities.reads_logits:
            raise ConfigError(
                f"readout SequenceReadout: output='tokens' does not work with {llm.family}, whose "
                "logits are no function of its last state; use output='states'"
            )
        if self.needs_whole_llm and layer not in (-1, llm.num_layers):
            raise ConfigError(
                f"readout.layer={layer} does not fit output='tokens', which come from the last "
                'layer; leave layer out'
            )
        super().__init__(llm, layer=layer, **kwargs)
        self.output, self.temperature = output, temperature
        if self.needs_whole_llm:
            self.state_size = llm.embed_size

    def shared(self, llm: CausalLLM) -> tuple[Tensor, ...]:
        """The outputs ``(1, P, H)`` of the prefix, then its keys and values, batch 1."""
        out = llm(self.prefix(llm))
        return (self.outputs(llm, out)[:, -len(self.tokens) :], *flatten(out.key_values))

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Continue the shared prefix with every label, and put its outputs in front."""
        begin, past = shared[0], unflatten(shared[1:])
        rows, _ = self.label_tokens(llm, labels, bos=False, extra=past[0][0].shape[-2])
        ids, mask = pad_tokens(rows, llm.device)
        out = llm(llm.embed(ids), past=expand(past, len(rows)))
        begin = begin.expand(len(rows), -1, -1)
        known = torch.ones(begin.shape[:2], dtype=torch.bool, device=mask.device)
        return torch.cat([begin, self.outputs(llm, out)], 1), torch.cat([known, mask], 1)

    def outputs(self, llm: CausalLLM, out: LLMOutput) -> Tensor:
        """What is read at each token ``(c, L, H)``."""
        if not self.needs_whole_llm:
            return out.states
        assert out.last is not None  # the whole LLM runs
        return llm.expected_embedding(out.last, self.temperature)
