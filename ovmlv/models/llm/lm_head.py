"""A language model's decoder and head: the way to its last states, and from them to logits."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn


class DecoderStandIn(nn.Module):
    """Takes a decoder's place and passes its input on as the last states.

    Args:
        original: The decoder; some language models look things up in it (Falcon-H1: a factor).
    """

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.__dict__['_original'] = original  # no submodule

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> _Outputs:
        """Return the outputs of a decoder that are known here."""
        return _Outputs((inputs_embeds,))

    @property
    def decoder(self) -> DecoderStandIn:
        """The stand-in itself; some models call the decoder inside their decoder (OPT, BART)."""
        return self

    def __getattr__(self, name: str) -> Any:
        if '_original' not in self.__dict__:  # while it is copied
            raise AttributeError(name)
        return getattr(self._original, name)


class _Outputs(tuple):
    """A decoder's outputs by index or name: the last states, and None for everything else."""

    @property
    def last_hidden_state(self) -> Tensor:
        return self[0]

    def __getattr__(self, name: str) -> None:
        if name.startswith('__'):
            raise AttributeError(name)


def decoder_of(model: Any) -> Any:
    """The part of a causal language model of transformers that ends before its head."""
    decoder = model.base_model
    if decoder is model:  # it does not know its own part by the usual name (Llama 4)
        table = model.get_input_embeddings()
        parts = [child for child in model.children() if table in set(child.modules())]
        decoder = parts[0] if parts and parts[0] is not table else model
    try:
        decoder.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # BART wraps its decoder
        decoder = model.get_decoder()
    return decoder


def own_head(model: nn.Module, decoder: nn.Module) -> nn.Module | None:
    """The language model ``model`` without its decoder.

    ``own_head(model, decoder)(inputs_embeds=last).logits`` are the model's own logits: scaled,
    capped or computed by a head of several layers, as in its family. Weights are shared with
    ``model``. The result is None if the decoder is not a part of the model.
    """
    places = [
        name
        for name, child in model.named_children()
        if any(module is decoder for module in child.modules())
    ]
    if not places:
        return None
    head = copy.copy(model)
    head.__dict__['_modules'] = {**model._modules, places[0]: DecoderStandIn(decoder)}
    return head
