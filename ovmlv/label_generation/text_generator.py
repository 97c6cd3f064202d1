"""Continuations of prompts by a causal language model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.models.llm.llm_loading import load_llm


class TextGenerator:
    """Continues prompts to the end of a line.

    The same prompt, seed and draw give the same answer, in whatever order they are asked, since
    each has a random stream of its own.

    Args:
        temperature: Temperature of the draws; 0 always takes the most probable token.
        top_p: Share of probability of the most probable tokens that are drawn from.
        max_new_tokens: Longest answer, in tokens.
        seed: Seed of the draws.
        device: Device such as ``cpu`` or ``cuda``.
        llm: Arguments of :func:`.load_llm`: ``name``, or ``config`` of a random model.
    """

    def __init__(
        self,
        temperature: float = 0.7,
        top_p: float = 0.9,
        max_new_tokens: int = 40,
        seed: int = 0,
        device: str = 'cpu',
        **llm: Any,
    ) -> None:
        check_sampling(temperature, top_p, max_new_tokens)
        self.temperature, self.top_p = temperature, top_p
        self.max_new_tokens, self.seed = max_new_tokens, seed
        model, self.tokenizer = load_llm(**llm)
        self.model = model.to(device)

    def __call__(self, prompt: str, draw: int = 0) -> str:
        """The rest of the line that the prompt begins.

        Args:
            prompt: The prompt.
            draw: Number of the answer, for several answers to one prompt.
        """
        ids = self.tokenizer.encode(prompt)
        inputs = torch.tensor([ids], device=self.model.device)

        def ended(tokens: Tensor, *_: Any, **__: Any) -> Tensor:
            text = self.tokenizer.decode(tokens[0, len(ids) :].tolist())
            return torch.full((1,), '\n' in text.lstrip(), device=tokens.device)

        out = generate(
            self.model,
            dict(input_ids=inputs, attention_mask=torch.ones_like(inputs)),
            derive_seed(self.seed, draw, prompt),
            self.temperature,
            self.top_p,
            self.max_new_tokens,
            stopping_criteria=[ended],
            pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
        )
        text = self.tokenizer.decode(out[len(ids) :].tolist(), skip_special_tokens=True)
        return text.strip().partition('\n')[0].strip()


@torch.no_grad()
def generate(
    model: Any,
    inputs: dict[str, Tensor],
    seed: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    stopping_criteria: list[Callable[..., Tensor]] | None = None,
    **kwargs: Any,
) -> Tensor:
    """Tokens ``(L,)`` of prompt and answer, drawn from a random stream of their own."""
    from transformers import StoppingCriteriaList

    sampling: dict[str, Any] = dict(do_sample=temperature > 0)
    if temperature > 0:
        sampling.update(temperature=temperature, top_p=top_p, top_k=0)
    if stopping_criteria:
        kwargs['stopping_criteria'] = StoppingCriteriaList(stopping_criteria)
    devices = [model.device] if model.device.type == 'cuda' else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        return model.generate(**inputs, max_new_tokens=max_new_tokens, **sampling, **kwargs)[0]


def derive_seed(*parts: object) -> int:
    """A seed from anything that has a text."""
    text = '\x1f'.join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], 'big')


def check_sampling(temperature: float, top_p: float, max_new_tokens: int) -> None:
    """Raise ConfigError for values that make no sense."""
    if temperature < 0 or not 0 < top_p <= 1 or max_new_tokens < 1:
        raise ConfigError(
            f'temperature={temperature}, top_p={top_p}, max_new_tokens={max_new_tokens}: they must '
            'be at least 0, in (0, 1], and at least 1'
        )
