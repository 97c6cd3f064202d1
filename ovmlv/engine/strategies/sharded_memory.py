"""What a model whose weights are spread over processes holds, in bytes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


class HeldBytes(NamedTuple):
    """Bytes of parameters, without gradients, states of optimizers, buffers and activations.

    Attributes:
        whole: All parameters, as one process would hold them.
        share: What this process holds of them at all times.
        root: What is gathered for a whole step: all that is in no layer.
        layer: The largest layer; FSDP gathers the next one while it is in use.
    """

    whole: int
    share: int
    root: int
    layer: int

    @property
    def peak(self) -> int:
        """At most this is here at once: the share, the root and two layers."""
        return self.share + self.root + 2 * self.layer

    def __str__(self) -> str:
        whole, share, root, layer, peak = (
            f'{value / 2**20:,.1f} MiB' for value in (*self, self.peak)
        )
        return (
            f'{whole} of parameters; {share} here, and {root} for a step and {layer} for a layer '
            f'gathered: at most {peak} at once'
        )


def held_bytes(model: nn.Module) -> HeldBytes:
    """What a model holds while nothing is gathered."""
    layers = [m for m in model.modules() if isinstance(m, FSDPModule) and m is not model]
    sizes = [sum(_whole(p) for p in layer.parameters()) for layer in layers]
    whole = sum(_whole(p) for p in model.parameters())
    share = sum(_here(p) for p in model.parameters())
    return HeldBytes(whole, share, whole - sum(sizes), max(sizes, default=0))


def _whole(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _here(tensor: Tensor) -> int:
    return _whole(tensor.to_local() if isinstance(tensor, DTensor) else tensor)
