"""What every criterion has: a loss that may compare with the frozen CLIP."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from ovmlv.errors import ConfigError


class BaseCriterion(nn.Module):
    """The losses of a training step.

    Contract: :class:`~ovmlv.models.contracts.Criterion`. A subclass gives :meth:`forward`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.losses import BaseCriterion
        >>> class SquaredError(BaseCriterion):
        ...     def forward(self, logits, targets, **kwargs):
        ...         errors = (logits.sigmoid() - targets)[targets >= 0]
        ...         return dict(loss_cls=errors.square().mean())
        >>> SquaredError()(torch.zeros(1, 3), torch.tensor([[1, 0, -1]]))  # 1/2 squared, twice
        {'loss_cls': tensor(0.2500)}
    """

    @property
    def needs(self) -> frozenset[str]:
        """What it wants computed beside the logits.

        Any of ``video_ref`` (the frozen CLIP's video embeddings), ``text_ref`` (its label
        embeddings), ``reference_vocab`` (those of the reference vocabulary) and ``drift`` (squared
        distance of the finetuned weights from their start).
        """
        return frozenset()

    def set_embed_dim(self, embed_dim: int) -> None:
        """Hear of E before training."""

    def weigh_labels(self, weight: Tensor) -> None:
        """Multiply the terms of each label of the vocabulary by ``weight (C,)``.

        Raises:
            ConfigError: The terms are no sum over labels.
        """
        raise ConfigError(
            f'{type(self).__name__} takes no weights of labels; remove LabelWeightHook'
        )

    @abstractmethod
    def forward(
        self, logits: Tensor, targets: Tensor, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor] | Tensor:
        """The losses by name; ``loss_cls`` is the one on the logits.

        Args:
            logits: ``(B, C)``.
            targets: ``(B, C)`` of {1, 0, -1 = unknown}.
            *args: What heads of other projects pass beside.
            **kwargs: ``video (B, E)``, ``text (C, E)``, ``columns (C,)`` and ``column_weight (C,)``
                of a random subset of the labels, and what the criterion needs.
        """
