"""The distance of finetuned weights from their start."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import cast

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Pretrained


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

    @classmethod
    def of(cls, part: Pretrained) -> StartWeights:
        """Of the parameters of a part that are CLIP's and train.

        Raises:
            ConfigError: There is none.
        """
        parameters = dict(part.named_parameters())
        names = [n for n in part.pretrained_parameter_names() if parameters[n].requires_grad]
        if not names:
            raise ConfigError(
                'OpenVocabRecognizer: the loss has weight_l2, but no pretrained weight is '
                "finetuned; set weight_l2=0 or the backbone's trainable to 'all' or a number of "
                'blocks'
            )
        return cls(cast(nn.Module, part), names)

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
