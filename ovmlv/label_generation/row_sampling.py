"""Answers of a batch, each drawn from a random stream of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class RowNoise:
    """Makes greedy decoding draw: row i gets Gumbel noise of seed i on its log-probabilities.

    The largest of ``log p + noise`` is a draw from ``p``. Since each row has a generator of its
    own, an answer does not depend on what else is in the batch.

    Args:
        seeds: A seed for each row.
        temperature: Temperature of the draws, above 0.
        top_p: Share of probability of the most probable tokens that are drawn from.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        from transformers import TopPLogitsWarper

        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature
        self.top_p = TopPLogitsWarper(top_p) if top_p < 1 else None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores ``(B, V)`` whose largest entries are the draws."""
        scores = scores.float() / self.temperature
        if self.top_p is not None:
            scores = self.top_p(input_ids, scores)
        noise = torch.stack(
            [
                torch.empty(scores.shape[1]).exponential_(generator=generator).log_().neg_()
                for generator in self.generators
            ]
        )
        return scores + noise.to(scores.device)


@torch.no_grad()
def generate_rows(
    model: Any,
    inputs: Mapping[str, Tensor],
    seeds: Sequence[int],
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    pad_token_id: int | None,
) -> list[Tensor]:
    """Tokens of the answer to each row of a batch that is padded in front.

    Args:
        model: A model of transformers with ``generate``.
        inputs: Of the model, with ``input_ids (B, L)``.
        seeds: A seed for each row.
        temperature: 0 always takes the most probable token.
        top_p: See :class:`RowNoise`.
        max_new_tokens: Longest answer, in tokens.
        pad_token_id: What fills rows that have ended.
    """
    from transformers import LogitsProcessorList

    noise = [RowNoise(seeds, temperature, top_p)] if temperature > 0 else []
    out = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        logits_processor=LogitsProcessorList(noise),
        pad_token_id=pad_token_id,
    )
    ends = model.generation_config.eos_token_id
    ends = {ends} if isinstance(ends, int) else set(ends or ())
    answers = []
    for row in out[:, inputs['input_ids'].shape[1] :]:
        stop = next((i for i, token in enumerate(row.tolist()) if token in ends), len(row))
        answers.append(row[:stop])
    return answers
