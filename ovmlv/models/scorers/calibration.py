"""The bias with which probabilities start at the label prior."""

from __future__ import annotations

import math

import torch
from mmengine.dist import all_reduce
from torch import Tensor

STEPS = 60
#: A prior outside is moved to the nearer end: a data set without positives has no finite bias.
PRIOR_RANGE = (1e-4, 1 - 1e-4)


@torch.no_grad()
def bias_for_prior(logits: Tensor, weight: Tensor, prior: float) -> float | None:
    """The ``b`` with weighted mean ``sigmoid(logits + b) = prior``, by bisection.

    All processes of distributed training take part, each with its own entries, and find the same
    value.

    Args:
        logits: Logits of any shape, without the bias.
        weight: Weights of the same shape; 0 leaves an entry out.
        prior: Wanted mean probability, clamped to `PRIOR_RANGE`.

    Returns:
        The bias; None if no entry of any process has a weight.
    """
    logits, weight = logits.double().flatten(), weight.double().flatten()
    logits, weight = logits[weight > 0], weight[weight > 0]
    total = _reduce(weight.sum(), 'sum')
    if total == 0:
        return None
    prior = min(max(prior, PRIOR_RANGE[0]), PRIOR_RANGE[1])
    # Between these two every probability is below, or above, the prior.
    none = torch.tensor(-torch.inf, dtype=logits.dtype, device=logits.device)
    centre = math.log(prior / (1 - prior))
    low = centre - _reduce(torch.cat([logits, none[None]]).max(), 'max')
    high = centre + _reduce(torch.cat([-logits, none[None]]).max(), 'max')
    for _ in range(STEPS):
        middle = (low + high) / 2
        mean = _reduce(((logits + middle).sigmoid() * weight).sum(), 'sum') / total
        low, high = (middle, high) if mean < prior else (low, middle)
    return (low + high) / 2


def _reduce(value: Tensor, op: str) -> float:
    value = value.clone()
    all_reduce(value, op)
    return value.item()
