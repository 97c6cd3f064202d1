"""Two-way multi-label loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .base_multilabel_loss import BaseMultilabelLoss
from .reduction import entry_weight, prepare, reduce_terms


@MODELS.register_module()
class TwoWayLoss(BaseMultilabelLoss):
    """Two-way loss of Kobayashi, "Two-way Multi-Label Loss", CVPR 2023, eq. 6 and 9.

    ``softplus(Tn log sum_neg exp(x / Tn) + Tp log sum_pos exp(-x / Tp))``, once with the sums over
    the labels of a video and once over the videos of a label; each is averaged over the rows that
    have a positive, and the two means are added. Unknown labels are in neither sum. A row without
    negatives has the limit 0. The label-wise part sees the videos of one process only.

    The loss couples videos, so a reduction is over the shares of the videos. The share of a video
    is B times its own row over the number of rows counted, plus the same for its part of the row of
    each of its positive labels. The mean of the shares is the loss.

    Args:
        temperature_pos: ``Tp``, temperature of the positives.
        temperature_neg: ``Tn``, temperature of the negatives.
        class_wise: Weight of the part over the videos of a label.
        sample_wise: Weight of the part over the labels of a video.
        **kwargs: See :class:`BaseMultilabelLoss`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import TwoWayLoss
        >>> logits = torch.tensor([[2.0, 2.0, 9.0]])
        >>> targets = torch.tensor([[1, 0, -1]])  # there, absent, unknown
        >>> TwoWayLoss()(logits, targets)  # softplus(2 - 2) = log 2, over the labels alone
        tensor(0.6931)
        >>> TwoWayLoss()(torch.zeros(2, 2), torch.eye(2))  # log 2 over labels, log 2 over videos
        tensor(1.3863)
    """

    takes_label_subsets = True

    def __init__(
        self,
        temperature_pos: float = 4.0,
        temperature_neg: float = 1.0,
        class_wise: float = 1.0,
        sample_wise: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if temperature_pos <= 0 or temperature_neg <= 0:
            raise ConfigError(
                f'TwoWayLoss: temperature_pos={temperature_pos} and '
                f'temperature_neg={temperature_neg} must be positive'
            )
        self.temperature_pos, self.temperature_neg = temperature_pos, temperature_neg
        self.class_wise, self.sample_wise = class_wise, sample_wise

    def forward(  # type: ignore[override]  # names what **kwargs of the base may hold
        self,
        logits: Tensor,
        targets: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        *,
        columns: Tensor | None = None,
        column_weight: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits: ``(B, C)``.
            targets: ``(B, C)`` of {1, 0, -1 = unknown}; soft ones are positive above 0.5; or
                indices, see :func:`~ovmlv.models.losses.reduction.multi_hot`.
            weight: Weights of samples ``(B,)``, which are factors of their shares; or of samples
                and labels ``(B, C)``, which say how often an entry is counted in the sums.
            avg_factor: Number that the sum of the shares is divided by, in place of B.
            reduction_override: See :class:`BaseMultilabelLoss`.
            columns: Unused; there are no weights per class.
            column_weight: ``(C,)`` number of labels of the vocabulary that a column of a random
                subset stands for; the negatives of a video are counted that often.

        Returns:
            A scalar, or the shares ``(B,)`` for ``reduction='none'``.
        """
        name, reduction = type(self).__name__, self._reduction(reduction_override)
        logits, targets, known = prepare(logits, targets)
        log_weight, of_sample = torch.zeros_like(logits), None
        if weight is not None:
            weight = entry_weight(weight, logits, name)
            if weight.shape == logits.shape and logits.shape[1] > 1:
                known = known & (weight > 0)
                log_weight = torch.where(known, weight, 1.0).log()
            else:
                of_sample = weight[:, 0]
        positive, negative = known & (targets > 0.5), known & (targets <= 0.5)
        log_negative = log_weight
        if column_weight is not None:
            log_negative = log_weight + column_weight.to(logits).log()
        per_video = self._rows(logits, positive, negative, log_weight, log_negative)
        per_label = self._rows(logits.T, positive.T, negative.T, log_weight.T, log_weight.T)
        mine = positive / positive.sum(0).clamp(min=1)
        shares = (
            self.sample_wise * per_video / positive.any(1).sum().clamp(min=1)
            + self.class_wise * mine.to(logits) @ per_label / positive.any(0).sum().clamp(min=1)
        ) * len(logits)
        if of_sample is not None:
            shares = shares * of_sample
        count = torch.as_tensor(len(shares), device=shares.device)
        return self.loss_weight * reduce_terms(shares, reduction, avg_factor, count, name)

    def _rows(
        self,
        logits: Tensor,
        positive: Tensor,
        negative: Tensor,
        log_positive: Tensor,
        log_negative: Tensor,
    ) -> Tensor:
        """The term of each row of ``(N, K)``, zero without a positive or without a negative."""
        both = positive.any(1) & negative.any(1)
        # Rows that lack either sum have a softplus of zero; logsumexp of nothing has no gradient.
        pos = -logits / self.temperature_pos + log_positive
        pos = pos[both].masked_fill(~positive[both], -torch.inf)
        neg = logits / self.temperature_neg + log_negative
        neg = neg[both].masked_fill(~negative[both], -torch.inf)
        margin = self.temperature_pos * pos.logsumexp(1) + self.temperature_neg * neg.logsumexp(1)
        return logits.new_zeros(len(logits)).masked_scatter(both, F.softplus(margin))
