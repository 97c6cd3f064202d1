"""Two-way multi-label loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .elementwise_loss import prepare


@MODELS.register_module()
class TwoWayLoss(nn.Module):
    """Two-way loss of Kobayashi, "Two-way Multi-Label Loss", CVPR 2023, eq. 6 and 9.

    ``softplus(Tn log sum_neg exp(x / Tn) + Tp log sum_pos exp(-x / Tp))``, once with the sums over
    the labels of a video and once over the videos of a label; each is averaged over the rows that
    have a positive, and the two means are added. Unknown labels are in neither sum. A row without
    negatives has the limit 0. The label-wise part sees the videos of one process only.

    Args:
        temperature_pos: ``Tp``, temperature of the positives.
        temperature_neg: ``Tn``, temperature of the negatives.
        class_wise: Weight of the part over the videos of a label.
        sample_wise: Weight of the part over the labels of a video.
    """

    def __init__(
        self,
        temperature_pos: float = 4.0,
        temperature_neg: float = 1.0,
        class_wise: float = 1.0,
        sample_wise: float = 1.0,
    ) -> None:
        super().__init__()
        if temperature_pos <= 0 or temperature_neg <= 0:
            raise ConfigError(
                f'TwoWayLoss: temperature_pos={temperature_pos} and '
                f'temperature_neg={temperature_neg} must be positive'
            )
        self.temperature_pos, self.temperature_neg = temperature_pos, temperature_neg
        self.class_wise, self.sample_wise = class_wise, sample_wise

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
            targets: ``(B, C)`` of {1, 0, -1 = unknown}; soft ones are positive above 0.5.
            columns: Unused; there are no weights per class.
            column_weight: ``(C,)``, how many labels of the vocabulary a column of a random subset
                stands for; the negatives of a video are counted that often.

        Returns:
            A scalar.
        """
        logits, targets, known = prepare(logits, targets)
        positive, negative = known & (targets > 0.5), known & (targets <= 0.5)
        per_label = self._rows(logits.T, positive.T, negative.T)
        log_weight = None if column_weight is None else column_weight.to(logits).log()
        per_video = self._rows(logits, positive, negative, log_weight)
        return self.class_wise * per_label + self.sample_wise * per_video

    def _rows(
        self, logits: Tensor, positive: Tensor, negative: Tensor, log_weight: Tensor | None = None
    ) -> Tensor:
        """Mean over the rows of ``(N, K)`` that have a positive."""
        counted = positive.any(1)
        both = counted & negative.any(1)
        # Rows that lack either sum have a softplus of zero; logsumexp of nothing has no gradient.
        logits, positive, negative = logits[both], positive[both], negative[both]
        pos = (-logits / self.temperature_pos).masked_fill(~positive, -torch.inf)
        neg = logits / self.temperature_neg
        if log_weight is not None:
            neg = neg + log_weight
        neg = neg.masked_fill(~negative, -torch.inf)
        margin = self.temperature_pos * pos.logsumexp(1) + self.temperature_neg * neg.logsumexp(1)
        return F.softplus(margin).sum() / counted.sum().clamp(min=1)
