"""The weights of a model in training that can go back to CLIP's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Pretrained

from .sharding import any_process, local

PARTS = ('backbone', 'head')


def weights_from_clip(model: nn.Module, parts: Sequence[str] = ('backbone',)) -> dict[str, Tensor]:
    """Copies of the trainable weights that are CLIP's at the start.

    These are the weights that were loaded from CLIP's files, and new modules that start at zero,
    such as a gate or the output projection of a branch: scaling one towards zero goes back to CLIP.
    Other new weights start at random, have no start to go back to, and are left out (Open-VCLIP,
    ICML 2023, copies weights that CLIP does not have). The choice depends on the architecture
    alone, so that a model built again from the same config has the same start, whatever its seed.

    Args:
        model: A recognizer as it was built, before any training and before a checkpoint is loaded.
        parts: Names of its parts: ``backbone``, ``head``.

    Returns:
        Names in the model to tensors.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts or isinstance(parts, str):
        raise ConfigError(f'parts={parts!r} must be a list of {" and ".join(PARTS)}')
    found = {
        f'{part}.{name}': tensor.detach().clone()
        for part in parts
        for name, tensor in tensors_from_clip(getattr(model, part))
    }
    if not found:
        raise ConfigError(
            f'nothing that trains in {" and ".join(parts)} starts as CLIP; finetune blocks '
            '(trainable), or use a temporal module with a gate or projection of zero'
        )
    return found


def tensors_from_clip(part: Pretrained) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters of one part of a model, see :func:`weights_from_clip`."""
    pretrained = set(part.pretrained_parameter_names())
    for prefix, module in part.named_modules():
        own = {
            f'{prefix}.{name}' if prefix else name: p
            for name, p in module.named_parameters(recurse=False)
            if p.requires_grad
        }
        if not own:
            continue
        # Of weights that are spread over processes, each looks at its share.
        is_zero = not any_process(module, any(bool(local(p).any()) for p in own.values()))
        yield from ((name, p) for name, p in own.items() if is_zero or name in pretrained)


@torch.no_grad()
def patch(weight: Tensor, start: Tensor, ratio: float) -> Tensor:
    """``start + ratio * (weight - start)``: 0 is the start, 1 the finetuned weight."""
    mixed = torch.lerp(start.to(weight.device, torch.float32), weight.float(), ratio)
    return mixed.to(weight.dtype)


def check_ratio(ratio: float) -> float:
    """Return a ratio if it is in 0..1; more than 1 would be an extrapolation."""
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
        raise ConfigError(
            f'ratio={ratio!r} must be a number from 0 (the start) to 1 (the finetuned weights)'
        )
    return float(ratio)
