"""State dicts of sharded training, in the form that they have without it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from ovmlv.models.utils.scalars import with_dimension


def shard_like(value: Tensor, target: Tensor) -> Tensor:
    """The share of a whole tensor, which every process has, that belongs to a sharded one."""
    if not isinstance(target, DTensor) or isinstance(value, DTensor):
        return value
    value = with_dimension(value, target)
    if value.shape != target.shape:  # whoever loads it says so
        return value
    value = value.to(target.device)
    return distribute_tensor(value, target.device_mesh, target.placements, src_data_rank=None)


@torch.no_grad()
def gather(content: Any) -> Any:
    """Nested lists and mappings with whole tensors on the CPU in the place of sharded ones.

    All processes must call it with content of one structure.
    """
    if isinstance(content, DTensor):
        content = content.full_tensor()
    if isinstance(content, Tensor):
        return content.cpu()
    if type(content) in (dict, OrderedDict):
        return type(content)((key, gather(value)) for key, value in content.items())
    if type(content) in (list, tuple):
        return type(content)(gather(value) for value in content)
    return content


def shard_optimizer_state(
    state: Mapping[str, Any], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """An optimizer's state dict with shares in the place of whole tensors.

    Args:
        state: As :meth:`torch.optim.Optimizer.state_dict` gives it, with whole tensors.
        optimizer: What the state is for; its parameters are sharded.
    """
    order = [i for group in state['param_groups'] for i in group['params']]
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    whose = dict(zip(order, parameters, strict=False))  # the optimizer says what does not fit
    states = {
        i: {
            name: shard_like(value, whose[i])
            if isinstance(value, Tensor) and name != 'step' and i in whose
            else value
            for name, value in values.items()
        }
        for i, values in state['state'].items()
    }
    return {**state, 'state': states}
