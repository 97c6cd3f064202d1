"""Asymmetric loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .elementwise_loss import ElementwiseLoss


@MODELS.register_module()
class AsymmetricLoss(ElementwiseLoss):
    """Asymmetric loss of Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV
    2021, eq. 4-7.

    ``L+ = (1 - p)^gamma_pos * -log p`` and ``L- = p_m^gamma_neg * -log(1 - p_m)`` with the shifted
    probability ``p_m = max(p - clip, 0)``: easy negatives count less, very easy ones not at all.

    Args:
        gamma_neg: Focusing exponent of negatives.
        gamma_pos: Focusing exponent of positives.
        clip: Probability below which a negative costs nothing.
        detach_focus: Whether to stop the gradient through the focusing factors (the authors'
            training setting).
        **kwargs: See :class:`ElementwiseLoss`. The authors use a sum:
            ``reduction='sum_per_sample'``.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import AsymmetricLoss
        >>> loss = AsymmetricLoss(gamma_neg=1, gamma_pos=0, clip=0.25, reduction='none')
        >>> logits = torch.tensor([[0.0, 0.0, -4.0, 0.0]])  # p is 1/2, in the third column 0.018
        >>> targets = torch.tensor([[1, 0, 0, -1]])  # there, absent, absent, unknown
        >>> loss(logits, targets)  # log 2; log(4/3) / 4; below the clip; unknown
        tensor([[0.6931, 0.0719, 0.0000, 0.0000]])
    """

    def __init__(
        self,
        gamma_neg: float = 4.0,
        gamma_pos: float = 1.0,
        clip: float = 0.05,
        detach_focus: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if gamma_neg < 0 or gamma_pos < 0 or not 0 <= clip < 1:
            raise ConfigError(
                f'AsymmetricLoss: gamma_neg={gamma_neg} and gamma_pos={gamma_pos} must not be '
                f'negative, and clip={clip} must lie in [0, 1)'
            )
        self.gamma_neg, self.gamma_pos, self.clip = gamma_neg, gamma_pos, clip
        self.detach_focus = detach_focus

    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Cost of a positive and of a negative for each logit, both ``(B, C)``."""
        log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
        positive = -log_p * self._focus(self.gamma_pos * log_not_p)
        if self.clip == 0:
            return positive, -log_not_p * self._focus(self.gamma_neg * log_p)
        shifted = logits.sigmoid() - self.clip
        counts = shifted > 0
        # A harmless stand-in where the cost is zero: a power's slope at 0 may be infinite.
        shifted = torch.where(counts, shifted, 0.5)
        negative = -torch.log1p(-shifted) * self._focus(self.gamma_neg * shifted.log())
        return positive, torch.where(counts, negative, 0.0)

    def _focus(self, exponent: Tensor) -> Tensor:
        focus = exponent.exp()
        return focus.detach() if self.detach_focus else focus
