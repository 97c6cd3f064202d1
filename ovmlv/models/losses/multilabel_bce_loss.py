"""Binary cross-entropy for each label."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ovmlv.registry import MODELS

from .elementwise_loss import ElementwiseLoss


@MODELS.register_module()
class MultilabelBCELoss(ElementwiseLoss):
    """Binary cross-entropy, ``-y log p - (1 - y) log(1 - p)`` with ``p = sigmoid(logit)``.

    Args:
        reduction: See :class:`ElementwiseLoss`.
        class_weight: See :class:`ElementwiseLoss`.
        pos_weight: See :class:`ElementwiseLoss`.
        **kwargs: See :class:`BaseMultilabelLoss`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import MultilabelBCELoss
        >>> logits = torch.tensor([[0.0, 3.0]])
        >>> targets = torch.tensor([[1, -1]])  # the first label is there, the second is unknown
        >>> MultilabelBCELoss()(logits, targets)  # log 2, of the first label alone
        tensor(0.6931)
    """

    def costs(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Cost of a positive and of a negative for each logit, both ``(B, C)``."""
        return -F.logsigmoid(logits), -F.logsigmoid(-logits)
