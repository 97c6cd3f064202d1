"""Parameters of one value, with the dimension that fully sharded training needs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def scalar_parameter(value: float, requires_grad: bool = True) -> nn.Parameter:
    """A parameter ``(1,)``: FSDP shards the first dimension and refuses parameters without one."""
    return nn.Parameter(torch.tensor([float(value)]), requires_grad)


def load_scalars_of_any_form(module: nn.Module) -> None:
    """Load a module's own parameters ``(1,)``, also from a checkpoint without that dimension.

    Checkpoints up to version 0.1 have no such dimension.
    """
    module.register_load_state_dict_pre_hook(_give_dimension)


def with_dimension(value: Any, parameter: Tensor) -> Any:
    """A number of a checkpoint in the form ``(1,)``, if the parameter has that form."""
    fits = isinstance(value, Tensor) and value.ndim == 0 and parameter.shape == (1,)
    return value.reshape(1) if fits else value


def keep_scalars_as_buffers(module: nn.Module) -> None:
    """Turn frozen parameters without a dimension (CLIP's logit scale) into buffers.

    The state dict stays as it is, as does the attribute.
    """
    for submodule in module.modules():
        for name, parameter in list(submodule._parameters.items()):
            if parameter is not None and parameter.ndim == 0:
                del submodule._parameters[name]
                submodule.register_buffer(name, parameter.detach())


def give_states_a_dimension(optimizer: torch.optim.Optimizer) -> None:
    """Bring an optimiser's state of an older training to the form of parameters ``(1,)``."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if name != 'step':
                state[name] = with_dimension(value, parameter)


def _give_dimension(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, parameter in module._parameters.items():
        if parameter is not None and prefix + name in state_dict:
            state_dict[prefix + name] = with_dimension(state_dict[prefix + name], parameter)
