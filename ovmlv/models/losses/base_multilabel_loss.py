"""What all losses on multi-label logits share: how heads here and elsewhere call them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from ovmlv.errors import ConfigError

from .reduction import check_reduction


class BaseMultilabelLoss(nn.Module):
    """A loss that any head of mmpretrain, mmdet and mmaction2 can call as one of its own.

    Args:
        reduction: ``mean``, ``sum``, ``sum_per_sample`` (mean over samples) or ``none``.
        loss_weight: Factor of the loss.
        use_sigmoid: Always True: labels are independent. Heads of mmdet read it from the config.

    Attributes:
        takes_label_subsets: Whether :meth:`forward` takes ``columns`` and ``column_weight``, which
            say what the columns of a random subset of the labels stand for.
    """

    takes_label_subsets: bool = False

    def __init__(
        self, reduction: str = 'mean', loss_weight: float = 1.0, use_sigmoid: bool = True
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.reduction = check_reduction(reduction, name)
        if isinstance(loss_weight, bool) or not isinstance(loss_weight, (int, float)):
            raise ConfigError(f'{name}: loss_weight={loss_weight!r} must be a number')
        if use_sigmoid is not True:
            raise ConfigError(
                f'{name}: use_sigmoid={use_sigmoid!r}, but its labels are independent of one '
                'another; set it to True'
            )
        self.loss_weight = loss_weight
        self.use_sigmoid = use_sigmoid

    @abstractmethod
    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits: ``(B, C)``.
            targets: See :func:`~ovmlv.models.losses.reduction.multi_hot`.
            weight: Of samples ``(B,)``, or of samples and labels ``(B, C)``; it does not enter the
                mean's denominator.
            avg_factor: What a mean divides the sum by, in the place of the number of entries.
            reduction_override: Another reduction for this call.
            **kwargs: What a subclass knows beside.
        """

    def _reduction(self, override: str | None) -> str:
        return (
            self.reduction if override is None else check_reduction(override, type(self).__name__)
        )
