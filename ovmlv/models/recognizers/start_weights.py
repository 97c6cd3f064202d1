"""The distance of finetuned weights from their start."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import torch
from torch import Tensor, nn


class StartWeights(nn.Module):
    """Copies of a model's pretrained weights that are finetuned; they are in no checkpoint.

    Args:
        model: The model; it is not kept.
        names: Names of its parameters.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        for i, name in enumerate(self.names):
            start = attrgetter(name)(model).detach().clone()
            self.register_buffer(f'start_{i}', start, persistent=False)

    def drift(self, model: nn.Module) -> Tensor:
        """Sum of squared differences between the model's weights and the copies, a scalar.

        This reads attributes rather than ``named_parameters``, so that it also sees the weights
        that ``torch.func.functional_call`` puts in place.
        """
        terms = [
            (attrgetter(name)(model).float() - getattr(self, f'start_{i}').float()).square().sum()
            for i, name in enumerate(self.names)
        ]
        return torch.stack(terms).sum()

    def mix(self, model: nn.Module, alpha: float) -> dict[str, Tensor]:
        """``alpha * start + (1 - alpha) * weight`` of every name, with gradient to the weights."""
        return {
            name: torch.lerp(attrgetter(name)(model), getattr(self, f'start_{i}'), alpha)
            for i, name in enumerate(self.names)
        }
