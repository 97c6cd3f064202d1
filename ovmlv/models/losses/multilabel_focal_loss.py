"""Focal loss for each label."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .elementwise_loss import ElementwiseLoss


@MODELS.register_module()
class MultilabelFocalLoss(ElementwiseLoss):
    """Focal loss of Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, on each label.

    ``-alpha (1 - p)^gamma log p`` for positives, ``-(1 - alpha) p^gamma log(1 - p)`` for negatives.

    Args:
        gamma: Focusing exponent.
        alpha: Weight of positives in [0, 1]; None weighs positives and negatives alike.
        **kwargs: See :class:`ElementwiseLoss`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import MultilabelFocalLoss
        >>> loss = MultilabelFocalLoss(gamma=2, alpha=0.25, reduction='none')
        >>> targets = torch.tensor([[1, 0, -1]])  # there, absent, unknown
        >>> loss(torch.zeros(1, 3), targets)  # log 2 times 1/4 * 1/4, and times 3/4 * 1/4
        tensor([[0.0433, 0.1300, 0.0000]])
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = 0.25, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if gamma < 0 or (alpha is not None and not 0 <= alpha <= 1):
            raise ConfigError(
                f'MultilabelFocalLoss: gamma={gamma} must not be negative, and alpha={alpha} must '
                'be None or lie in [0, 1]'
            )
        self.gamma, self.alpha = gamma, alpha

    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Cost of a positive and of a negative for each logit, both ``(B, C)``."""
        log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
        positive = -log_p * (self.gamma * log_not_p).exp()
        negative = -log_not_p * (self.gamma * log_p).exp()
        if self.alpha is None:
            return positive, negative
        return self.alpha * positive, (1 - self.alpha) * negative
