"""What every scorer has."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class BaseScorer(nn.Module):
    """Turns similarities of videos and labels into logits.

    Contract: :class:`~ovmlv.models.contracts.Scorer`. A subclass gives :meth:`forward`. One that
    computes ``similarities * scale + bias`` also gives these two, which are logged and exported.

    Attributes:
        bias: What is added to all similarities, ``(1,)``; None where the logits are no linear
            function of them.
        label_bias: ``(E,)``, whose product with a label's embedding is added to its logits; None
            where there is none.

    Examples:
        >>> import torch
        >>> from ovmlv.models.scorers import BaseScorer
        >>> class Cubes(BaseScorer):
        ...     def forward(self, similarities, text=None):
        ...         return 16 * similarities**3
        >>> scorer = Cubes()
        >>> scorer(torch.tensor([0.5, -1.0])), scorer.scale  # it is no linear function: no scale
        (tensor([  2., -16.]), None)
    """

    def __init__(self) -> None:
        super().__init__()
        # Not of the class: they would hide parameters of these names.
        self.bias: Tensor | None = None
        self.label_bias: nn.Parameter | None = None

    @property
    def scale(self) -> Tensor | None:
        """What similarities are multiplied by, ``(1,)``; None as of ``bias``."""
        return None

    @abstractmethod
    def forward(self, similarities: Tensor, text: Tensor | None = None) -> Tensor:
        """Logits ``(..., C)`` of similarities ``(..., C)``; ``text (C, E)`` for a label bias."""

    @property
    def wants_calibration(self) -> bool:
        """Whether :meth:`calibrate` still has something to do."""
        return False

    def calibrate(self, similarities: Tensor, weight: Tensor, prior: float) -> None:
        """Choose the bias so that the mean probability is ``prior``."""

    def start_from_clip(
        self, logit_scale: float | None, logit_bias: float | None, embed_dim: int | None = None
    ) -> None:
        """Take what the config leaves to the values of the CLIP weights."""
