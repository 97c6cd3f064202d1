"""Targets, weights and means, in the calling convention of mmpretrain, mmdet and mmaction2."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from ovmlv.errors import ConfigError, DataError

REDUCTIONS = ('mean', 'sum', 'sum_per_sample', 'none')


def prepare(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bring logits and targets of any form to one form.

    Replacing the unknown logits, rather than multiplying their terms by zero, keeps their gradients
    zero whatever the logits are.

    Args:
        logits: ``(B, C)``.
        targets: See :func:`multi_hot`.

    Returns:
        Logits (at least float32, zero where unknown), targets in [0, 1] (zero where unknown) and
        the mask of what is known, all ``(B, C)``.
    """
    targets = multi_hot(logits, targets)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    known = targets >= 0
    targets = torch.where(known, targets, 0).to(logits.dtype)
    return torch.where(known, logits, 0.0), targets, known


def multi_hot(logits: Tensor, targets: Tensor) -> Tensor:
    """Targets ``(B, C)`` of any form that a host's head gives.

    Args:
        logits: ``(B, C)``.
        targets: ``(B, C)`` of {1, 0, -1 = unknown} or soft ones in [0, 1], of any number format; or
            whole numbers ``(B,)`` or ``(B, 1)``, the index of the one positive label. C means no
            label (mmdet's background), and a negative number means that nothing is known of the
            sample.

    Raises:
        DataError: The shapes or indices do not fit.
    """
    if logits.ndim == 2 and targets.shape == logits.shape:
        return targets
    whole = not targets.is_floating_point() and targets.dtype != torch.bool
    if logits.ndim != 2 or not whole or targets.shape not in ((len(logits),), (len(logits), 1)):
        if logits.ndim == 2 and targets.ndim == 1 and targets.numel() == logits.numel():
            return targets.view_as(logits)  # mmaction2 squeezes a batch of one, or a single label
        raise DataError(
            f'logits {tuple(logits.shape)} and targets {tuple(targets.shape)} must both be '
            '(videos, labels); give one target for each label, or the index of one label a video'
        )
    index, count = targets.view(-1, 1), logits.shape[1]
    if (index > count).any():
        raise DataError(
            f'a target is label {int(index.max())}, but there are {count} labels; the head and the '
            'data must have the same number of classes'
        )
    hot = (index == torch.arange(count, device=index.device)).to(index.dtype)
    return torch.where(index < 0, -1, hot)


def entry_weight(weight: Tensor, logits: Tensor, who: str) -> Tensor:
    """Weights of samples ``(B,)`` or of entries ``(B, C)``, in a shape that fits ``(B, C)``."""
    weight = weight.to(logits)
    if weight.ndim == 1 and len(weight) == len(logits):
        return weight[:, None]
    if weight.shape in (logits.shape, (len(logits), 1)):
        return weight
    raise ConfigError(
        f'{who}: weight has shape {tuple(weight.shape)}, but the logits have '
        f'{tuple(logits.shape)}; give one weight a sample, or one a sample and label'
    )


def check_reduction(reduction: str, who: str) -> str:
    """Return the reduction if there is one of that name."""
    if reduction not in REDUCTIONS:
        raise ConfigError(f'{who}: reduction={reduction!r} is not one of {", ".join(REDUCTIONS)}')
    return reduction


def reduce_terms(
    terms: Tensor, reduction: str, avg_factor: float | Tensor | None, count: Tensor, who: str
) -> Tensor:
    """Reduce terms to the loss.

    Args:
        terms: ``(B, C)`` or ``(B,)`` terms.
        reduction: ``none`` gives the terms, ``sum`` their sum, ``sum_per_sample`` their sum divided
            by B, and ``mean`` their sum divided by ``count``.
        avg_factor: Number that the hosts' heads divide the sum by, in place of B or ``count``.
        count: Number of terms that count.
        who: Name of the class for messages.
    """
    if reduction == 'none':
        return terms
    total = terms.sum()
    if reduction == 'sum':
        if avg_factor is not None:
            raise ConfigError(
                f"{who}: avg_factor does not go with reduction='sum'; heads that pass it, as "
                "mmpretrain's do, need reduction='mean'"
            )
        return total
    if avg_factor is not None:
        count = torch.as_tensor(avg_factor, device=terms.device)
    elif reduction == 'sum_per_sample':
        count = torch.as_tensor(len(terms), device=terms.device)
    return total / torch.where(count > 0, count, 1).to(terms.dtype)


def mean_over_processes(value: Tensor, training: bool) -> Tensor:
    """Mean of a number over the processes of distributed training; the number itself elsewhere.

    A local sum over this mean, averaged over processes by DDP, is the global sum over the global
    count.
    """
    if training and get_world_size() > 1:
        value = value.detach().clone()
        all_reduce(value, 'mean')
    return value
