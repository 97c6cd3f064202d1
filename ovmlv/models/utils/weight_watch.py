"""Whether weights are still those that something was computed with, and a name for them.

Everything that is kept because it follows from weights alone (tokens of a frozen tower, embeddings
of labels, states of a language model) is kept through a :class:`WeightWatch`. Frozen weights can
change: when a checkpoint is loaded, when they are converted to another number format, and by
averaging, patching or unfreezing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .sharding import any_process, is_sharded, local

_SAMPLES = 16


class WeightWatch:
    """Notices when tensors change.

    A look compares identity, address, version counter, number format and device of every tensor.
    Writes through ``.data``, as by mmengine's ``EMAHook``, do not change the version counter, so
    the look also compares values: all values of tensors that train, and some values of each of the
    others, spread over the whole tensor. A look at a large frozen model takes a few milliseconds.

    Weights that are spread over processes are gathered and let go all the time. There, formats and
    values count alone, those of the share that is here, and a change on any process counts on all.

    A copied or unpickled watch has seen no weights yet.
    """

    def __init__(self) -> None:
        self._stamp: tuple | None = None
        self._values: list[Tensor] = []

    @torch.no_grad()
    def changed(self, tensors: Iterable[Tensor], owner: nn.Module | None = None) -> bool:
        """Whether tensors differ from those of the last call; True at the first.

        Args:
            tensors: The weights.
            owner: Module with these weights, which may be spread over processes. If they are, all
                processes must ask, and all get the same answer.
        """
        tensors, moves = [local(tensor) for tensor in tensors], is_sharded(owner)
        stamp: tuple = tuple((t.dtype, t.device) for t in tensors)
        if not moves:
            stamp += tuple((id(t), t.data_ptr(), t._version) for t in tensors)
        # All values of a device and format at once: every comparison is a synchronisation.
        groups: dict[tuple, list[Tensor]] = {}
        for t in tensors:
            part = t.detach().reshape(-1) if t.requires_grad else _sample(t)
            groups.setdefault((t.device, t.dtype), []).append(part)
        values = [torch.cat(group) for group in groups.values()]
        same = stamp == self._stamp and all(map(torch.equal, values, self._values))
        self._stamp, self._values = stamp, values
        return not same if owner is None else any_process(owner, not same)

    def __deepcopy__(self, memo: dict) -> WeightWatch:
        return type(self)()

    def __getstate__(self) -> dict:
        return {'_stamp': None, '_values': []}


def tensors_of(*modules: nn.Module) -> list[Tensor]:
    """All parameters and buffers of some modules."""
    return [t for module in modules for t in (*module.parameters(), *module.buffers())]


@torch.no_grad()
def tensor_fingerprint(tensors: Iterable[Tensor]) -> str:
    """Hash of all values of tensors, their shapes and formats; ViT-B takes a third of a second."""
    # Processors have instructions for this hash, and none for most others.
    digest = hashlib.sha256()
    for tensor in tensors:
        data = local(tensor).detach().to('cpu').contiguous()
        digest.update(f'{data.dtype}{tuple(data.shape)}'.encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // _SAMPLES)]
