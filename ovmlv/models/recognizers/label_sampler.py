"""Random subsets of a large training vocabulary."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, broadcast, get_rank
from torch import Tensor


def sample_labels(targets: Tensor, count: int, alike: bool = False) -> tuple[Tensor, Tensor]:
    """Choose the labels of a training step: all that are positive in the batch, and random others.

    Positives are too frequent in such a subset, and probabilities trained on it would be too high.
    Therefore each random label gets the weight that makes a weighted sum over the subset an
    unbiased estimate of the sum over the whole vocabulary (Horvitz-Thompson).

    The choice follows torch's global seed and differs between processes, unless it is to be alike:
    then it is that of one process with the batches of all of them.

    Args:
        targets: ``(B, C)`` targets; positives are above 0.
        count: Number of labels to choose; there are more if the positives of the batch leave less
            than half of it to random labels.
        alike: Choose the same labels on all processes, which must all call this.

    Returns:
        Columns ``(K,)`` in ascending order, and the number of labels that each stands for ``(K,)``.
    """
    seed = torch.randint(2**31, ()).to(targets.device)
    found = (targets > 0).any(0).int()
    if alike:
        broadcast(seed)
        all_reduce(found, 'max')
    generator = torch.Generator().manual_seed(int(seed) + (0 if alike else 2**31 * get_rank()))
    positive = found.bool().cpu()
    others = (~positive).nonzero().flatten()
    wanted = min(max(count - int(positive.sum()), (count + 1) // 2), len(others))
    weight = torch.ones(len(positive))
    if wanted:
        weight[others] = len(others) / wanted
    chosen = others[torch.randperm(len(others), generator=generator)[:wanted]]
    columns = torch.cat([positive.nonzero().flatten(), chosen]).sort().values
    return columns.to(targets.device), weight[columns].to(targets.device)
