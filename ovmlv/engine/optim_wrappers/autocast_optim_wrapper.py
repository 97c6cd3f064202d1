"""Mixed precision without gradient scaling, on CPUs too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16, whose range needs no loss scaling.

    mmengine's ``AmpOptimWrapper`` refuses CPUs. Many of them compute in bfloat16 nearly twice as
    fast as in float32; those without instructions for it are slower with it.

    Args:
        dtype: Number format: ``bfloat16``; or ``auto``, which is bfloat16 if the device computes in
            it, and else float32.
        **kwargs: See mmengine's ``OptimWrapper``.
    """

    def __init__(self, dtype: Literal['auto', 'bfloat16'] = 'auto', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dtype not in ('auto', 'bfloat16'):
            raise ConfigError(
                f"AutocastOptimWrapper: dtype={dtype!r} is not 'auto' or 'bfloat16'; float16 needs "
                'the loss scaling of AmpOptimWrapper'
            )
        self.device = get_device()
        self.enabled = dtype == 'bfloat16' or computes_in_bfloat16(self.device)

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast inside mmengine's own context (gradient accumulation)."""
        with (
            super().optim_context(model),
            torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.enabled),
        ):
            yield


def computes_in_bfloat16(device: str) -> bool:
    """Whether the device has instructions for bfloat16."""
    if device == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == 'cpu':
        checks = ('_is_avx512_bf16_supported', '_is_amx_tile_supported')
        return any(getattr(torch.cpu, name, bool)() for name in checks)
    return False
