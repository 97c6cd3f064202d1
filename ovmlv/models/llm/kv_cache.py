"""Keys and values of a causal LLM that many labels share, and a bounded cache for labels."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.models.utils.weight_watch import WeightWatch, tensors_of

KeyValues = list[tuple[Tensor, Tensor]]
"""Keys and values ``(B, heads, L, head_width)`` of every layer; widths may differ.

A decoder without a usable cache has one "layer": what it read, ``(B, 1, L, H)``, and values of
width 0 (see :class:`.CausalLLM`). Nothing below tells the two apart.
"""


def to_cache(key_values: KeyValues) -> Any:
    """Wrap keys and values in a cache that a transformers decoder continues from.

    The tensors are handed over unchanged: an expanded batch stays a view, and the graph that leads
    to learnable prefix tokens stays attached. (``DynamicCache.update`` would copy them first.) The
    decoder never writes into them, because ``DynamicLayer`` grows by concatenation.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache()
    cache.layers = []
    for keys, values in key_values:
        layer = DynamicLayer()
        layer.keys, layer.values = keys, values
        layer.dtype, layer.device = keys.dtype, keys.device
        layer.is_initialized = True
        cache.layers.append(layer)
    return cache


def from_cache(cache: Any) -> KeyValues:
    """Take the keys and values of every layer out of a transformers cache.

    Raises:
        TypeError: A layer keeps something else (a recurrent state, part of the tokens, an index).
    """
    from transformers.cache_utils import DynamicLayer

    for layer in cache.layers:
        if type(layer) is not DynamicLayer or layer.keys is None or layer.keys.dim() != 4:
            raise TypeError(f'{type(layer).__name__} does not hold keys and values of all tokens')
    return [(layer.keys, layer.values) for layer in cache.layers]


def expand(key_values: KeyValues, batch: int) -> KeyValues:
    """Show keys and values of batch 1 as those of ``batch`` labels, without copying them."""
    return [(k.expand(batch, -1, -1, -1), v.expand(batch, -1, -1, -1)) for k, v in key_values]


def flatten(key_values: KeyValues) -> list[Tensor]:
    """Keys and values as a flat list, the form in which autograd functions take them."""
    return [tensor for pair in key_values for tensor in pair]


def unflatten(tensors: list[Tensor] | tuple[Tensor, ...]) -> KeyValues:
    """Inverse of :func:`flatten`."""
    return list(zip(tensors[::2], tensors[1::2], strict=True))


def shapes_of(key_values: KeyValues) -> list[tuple[int, int]]:
    """Heads and width of every tensor, which :func:`unpack` needs."""
    return [(t.shape[1], t.shape[3]) for t in flatten(key_values)]


def pack(key_values: KeyValues) -> Tensor:
    """All keys and values of a token in one row: ``(B, L, D)``."""
    return torch.cat([t.transpose(1, 2).flatten(2) for t in flatten(key_values)], -1)


def unpack(rows: Tensor, shapes: Sequence[tuple[int, int]]) -> KeyValues:
    """Inverse of :func:`pack`."""
    parts = rows.split([heads * width for heads, width in shapes], -1)
    return unflatten(
        [
            part.unflatten(-1, shape).transpose(1, 2)
            for part, shape in zip(parts, shapes, strict=True)
        ]
    )


def push_right(key_values: KeyValues, shift: Tensor) -> KeyValues:
    """Move row b by ``shift[b]`` places, so that what was behind its tokens is before them."""
    length = key_values[0][0].shape[-2]
    places = torch.arange(length, device=shift.device)[None] - shift[:, None]
    places = (places % length)[:, None, :, None]
    moved = [t.gather(2, places.expand(*t.shape[:2], -1, t.shape[3])) for t in flatten(key_values)]
    return unflatten(moved)


class LabelCache:
    """Least-recently-used cache of tensors that depend on a label and on frozen weights only.

    Training does not make such entries invalid. If frozen weights change after all, :meth:`follow`
    drops the entries. They are not part of the model's state: a copied or unpickled cache starts
    empty.

    Args:
        max_megabytes: Budget of memory; the entries that were used longest ago are dropped first. 0
            keeps nothing.
    """

    def __init__(self, max_megabytes: float = 512.0) -> None:
        self.max_bytes = int(max_megabytes * 2**20)
        self.num_bytes = 0
        self._entries: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._watch = WeightWatch()

    def follow(self, module: nn.Module) -> bool:
        """Drop all entries if the weights that computed them have changed, and tell whether."""
        if not self._watch.changed(tensors_of(module), module):
            return False
        self.clear()
        return True

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def get(self, key: Hashable) -> Tensor | None:
        """The tensor stored under ``key``, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: Hashable, value: Tensor) -> None:
        """Store ``value`` and drop what no longer fits."""
        old = self._entries.pop(key, None)
        if old is not None:
            self.num_bytes -= old.nbytes
        # Entries are often slices of a batch: a view would keep the whole batch alive. Tensors of
        # inference mode could not be used in training later.
        value = value.detach()
        if value.is_inference() or value.untyped_storage().nbytes() > value.nbytes:
            with torch.inference_mode(False):
                value = value.clone()
        self._entries[key] = value
        self.num_bytes += value.nbytes
        while self.num_bytes > self.max_bytes and self._entries:
            self.num_bytes -= self._entries.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        """Drop every entry."""
        self._entries.clear()
        self.num_bytes = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> LabelCache:
        return type(self)(self.max_bytes / 2**20)

    def __getstate__(self) -> dict[str, Any]:
        return {'max_bytes': self.max_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state['max_bytes'] / 2**20)  # type: ignore[misc]


@contextlib.contextmanager
def constants(device: torch.device) -> Iterator[None]:
    """Compute values for a cache: without gradient, and not in the reduced precision of autocast.

    A cached number must not depend on whether training or testing asks for it first.
    """
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Bring a cached tensor to the device that the model is on now."""
    return tensor if tensor.device == device else tensor.to(device)
