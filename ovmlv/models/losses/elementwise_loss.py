"""Losses that are a sum over (video, label) pairs: unknown labels, weights, reduction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from ovmlv.errors import ConfigError

REDUCTIONS = ('mean', 'sum_per_sample', 'none')


class ElementwiseLoss(nn.Module):
    """Base of losses with one term for each video and label.

    A subclass gives, for every logit, the cost of a positive and of a negative; a target ``y`` in
    [0, 1] mixes the two, a negative target is unknown: it costs nothing and its gradient is exactly
    zero.

    Args:
        reduction: ``mean`` over the known entries (of all processes in distributed training, so
            that it equals one process on the whole batch), ``sum_per_sample`` (sum over the known
            labels of a sample, mean over samples) or ``none``.
        class_weight: Factor of each label's terms, ``(C,)``.
        pos_weight: Factor of the positives' costs: one number, or ``(C,)``.
    """

    def __init__(
        self,
        reduction: str = 'mean',
        class_weight: Sequence[float] | None = None,
        pos_weight: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ConfigError(
                f'{type(self).__name__}: reduction={reduction!r} is not one of '
                f'{", ".join(REDUCTIONS)}'
            )
        self.reduction = reduction
        # Settings, not state: a config may change them for a checkpoint that exists.
        for name, value in (('class_weight', class_weight), ('pos_weight', pos_weight)):
            value = None if value is None else torch.as_tensor(value, dtype=torch.float32)
            self.register_buffer(name, value, persistent=False)

    @abstractmethod
    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Cost of a positive and of a negative for each logit, both ``(B, C)``."""

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        columns: Tensor | None = None,
        column_weight: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits: ``(B, C)``.
            targets: ``(B, C)`` of {1, 0, -1 = unknown}, or soft ones in [0, 1].
            columns: ``(C,)``, where each column stands in the whole vocabulary, if the columns are
                a subset of it (needed for weights per class).
            column_weight: ``(C,)``, how many labels of the vocabulary a column of a random subset
                stands for; it enters the mean's denominator as well.

        Returns:
            A scalar, or ``(B, C)`` for ``reduction='none'``.
        """
        logits, targets, known = prepare(logits, targets)
        positive, negative = self.costs(logits)
        if self.pos_weight is not None:
            positive = positive * self._of_columns('pos_weight', columns, logits)
        terms = targets * positive + (1 - targets) * negative
        if self.class_weight is not None:
            terms = terms * self._of_columns('class_weight', columns, logits)
        weight = known.to(terms.dtype)
        if column_weight is not None:
            weight = weight * column_weight.to(weight)
        terms = torch.where(known, terms, 0.0) * weight
        if self.reduction == 'none':
            return terms
        if self.reduction == 'sum_per_sample':
            return terms.sum(1).mean()
        count = mean_over_processes(weight.sum(), self.training)
        return terms.sum() / torch.where(count > 0, count, 1.0)

    def _of_columns(self, name: str, columns: Tensor | None, logits: Tensor) -> Tensor:
        weight = getattr(self, name).to(logits)
        if weight.ndim == 0:
            return weight
        if columns is not None:
            return weight[columns]
        if len(weight) != logits.shape[1]:
            raise ConfigError(
                f'{type(self).__name__}: {name} has {len(weight)} values but there are '
                f'{logits.shape[1]} labels; give one value per label'
            )
        return weight


def prepare(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Check shapes; return logits (at least float32, zero where unknown), targets and the known
    mask.

    Replacing the unknown logits, rather than multiplying their terms by zero, keeps their gradients
    zero whatever the logits are.
    """
    if logits.ndim != 2 or logits.shape != targets.shape:
        raise ValueError(
            f'logits {tuple(logits.shape)} and targets {tuple(targets.shape)} must both be '
            '(videos, labels); give one target for each label'
        )
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    known = targets >= 0
    targets = torch.where(known, targets, 0).to(logits.dtype)
    return torch.where(known, logits, 0.0), targets, known


def mean_over_processes(value: Tensor, training: bool) -> Tensor:
    """Mean of a number over the processes of distributed training; the number itself elsewhere.

    A local sum over this mean, averaged over processes by DDP, is the global sum over the global
    count.
    """
    if training and get_world_size() > 1:
        value = value.detach().clone()
        all_reduce(value, 'mean')
    return value
