"""Random subsets of a large training vocabulary."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from torch import Tensor


def sample_labels(targets: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose the labels of a training step: all that are positive in the batch, and random others.

    Positives are too frequent in such a subset, and probabilities trained on it would be too high.
    Therefore each random label gets the weight that makes a weighted sum over the subset an
    unbiased estimate of the sum over the whole vocabulary (Horvitz-Thompson).

    The choice follows torch's global seed and differs between processes.

    Args:
        targets: ``(B, C)`` targets; positives are above 0.
        count: Number of labels to choose; there are more if the positives of the batch leave less
            than half of it to random labels.

    Returns:
        Columns ``(K,)`` in ascending order, and the number of labels that each stands for ``(K,)``.
    """
    seed = torch.randint(2**31, ()).item()
    generator = torch.Generator().manual_seed(seed + 2**31 * get_rank())
    positive = (targets > 0).any(0).cpu()
    others = (~positive).nonzero().flatten()
    wanted = min(max(count - int(positive.sum()), (count + 1) // 2), len(others))
    weight = torch.ones(len(positive))
    if wanted:
        weight[others] = len(others) / wanted
    chosen = others[torch.randperm(len(others), generator=generator)[:wanted]]
    columns = torch.cat([positive.nonzero().flatten(), chosen]).sort().values
    return columns.to(targets.device), weight[columns].to(targets.device)
