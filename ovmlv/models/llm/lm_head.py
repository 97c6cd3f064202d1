"""The way from a decoder's last states to logits, as the language model itself goes it."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn


class DecoderStandIn(nn.Module):
    """Takes a decoder's place and hands its input on as the last states."""

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> _Outputs:
        """What decoders return, of the little that is known."""
        return _Outputs((inputs_embeds,))

    @property
    def decoder(self) -> DecoderStandIn:
        """Some language models call the decoder inside their decoder (OPT, BART)."""
        return self


class _Outputs(tuple):
    """A decoder's outputs by index or name: the last states, and None for all else."""

    @property
    def last_hidden_state(self) -> Tensor:
        return self[0]

    def __getattr__(self, name: str) -> None:
        if name.startswith('__'):
            raise AttributeError(name)
        return None


def own_head(model: nn.Module, decoder: nn.Module) -> nn.Module | None:
    """The language model ``model`` with nothing in the place of its decoder.

    ``own_head(model, decoder)(inputs_embeds=last).logits`` are the model's own logits: scaled,
    capped or computed by a head of several layers, as its family does it. Weights are shared with
    ``model``. None if the decoder is no direct part of the model.
    """
    places = [name for name, child in model.named_children() if child is decoder]
    if not places:
        return None
    head = copy.copy(model)
    head.__dict__['_modules'] = {**model._modules, places[0]: DecoderStandIn()}
    return head
