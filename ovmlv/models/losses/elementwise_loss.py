"""Losses that are a sum over (video, label) pairs: unknown labels, weights, reduction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ovmlv.errors import ConfigError

from .base_multilabel_loss import BaseMultilabelLoss
from .reduction import entry_weight, mean_over_processes, prepare, reduce_terms


class ElementwiseLoss(BaseMultilabelLoss):
    """Base of losses with one term for each video and label.

    A subclass gives, for every logit, the cost of a positive and of a negative; a target ``y`` in
    [0, 1] mixes the two, a negative target is unknown: it costs nothing and its gradient is exactly
    zero.

    Args:
        reduction: ``mean`` over the known entries (of all processes in distributed training, so
            that it equals one process on the whole batch), ``sum``, ``sum_per_sample`` (sum over
            the known labels of a sample, mean over samples) or ``none``.
        class_weight: Factor of each label's terms, ``(C,)``.
        pos_weight: Factor of the positives' costs: one number, or ``(C,)``.
        **kwargs: See :class:`BaseMultilabelLoss`.
    """

    takes_label_subsets = True
    class_weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        reduction: str = 'mean',
        class_weight: Sequence[float] | None = None,
        pos_weight: float | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(reduction, **kwargs)
        # Settings, not state: a config may change them for a checkpoint that exists.
        for name, value in (('class_weight', class_weight), ('pos_weight', pos_weight)):
            kept = None if value is None else torch.as_tensor(value, dtype=torch.float32)
            self.register_buffer(name, kept, persistent=False)

    @abstractmethod
    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Cost of a positive and of a negative for each logit, both ``(B, C)``."""

    def forward(  # type: ignore[override]  # names what **kwargs of the base may hold
        self,
        logits: Tensor,
        targets: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        *,
        class_weight: Tensor | Sequence[float] | None = None,
        columns: Tensor | None = None,
        column_weight: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits: ``(B, C)``.
            targets: ``(B, C)`` of {1, 0, -1 = unknown}, or soft ones in [0, 1], or indices; see
                :func:`~ovmlv.models.losses.reduction.multi_hot`.
            weight: See :class:`BaseMultilabelLoss`.
            avg_factor: See :class:`BaseMultilabelLoss`.
            reduction_override: See :class:`BaseMultilabelLoss`.
            class_weight: In the place of the setting, for this call.
            columns: ``(C,)``, where each column stands in the whole vocabulary, if the columns are
                a subset of it (needed for weights per class).
            column_weight: ``(C,)``, how many labels of the vocabulary a column of a random subset
                stands for; it enters the mean's denominator as well.

        Returns:
            A scalar, or ``(B, C)`` for ``reduction='none'``.
        """
        name, reduction = type(self).__name__, self._reduction(reduction_override)
        logits, targets, known = prepare(logits, targets)
        positive, negative = self.costs(logits)
        if self.pos_weight is not None:
            positive = positive * self._of_columns('pos_weight', self.pos_weight, columns, logits)
        terms = targets * positive + (1 - targets) * negative
        class_weight = self.class_weight if class_weight is None else class_weight
        if class_weight is not None:
            class_weight = torch.as_tensor(class_weight)
            terms = terms * self._of_columns('class_weight', class_weight, columns, logits)
        counted = known.to(terms.dtype)
        if column_weight is not None:
            counted = counted * column_weight.to(counted)
        terms = torch.where(known, terms, 0.0) * counted
        if weight is not None:
            terms = terms * entry_weight(weight, logits, name)
        count = counted.sum()
        if reduction == 'mean' and avg_factor is None:
            count = mean_over_processes(count, self.training)
        return self.loss_weight * reduce_terms(terms, reduction, avg_factor, count, name)

    def _of_columns(
        self, name: str, weight: Tensor, columns: Tensor | None, logits: Tensor
    ) -> Tensor:
        weight = weight.to(logits)
        if weight.ndim == 0:
            return weight
        if columns is not None:
            return weight[columns]
        if weight.shape != logits.shape[1:]:
            raise ConfigError(
                f'{type(self).__name__}: {name} has {len(weight)} values but there are '
                f'{logits.shape[1]} labels; give one value per label'
            )
        return weight
