"""What sharded weights ask of code that runs them: all processes must do it the same number of
times.

Where a module's weights are spread over processes (``FullyShardStrategy``), each pass through it
gathers them from all processes. A process that makes one pass more than the others waits for them
for ever. What depends on data, such as the labels that a cache lacks, therefore makes its passes
through :func:`in_step`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

_T = TypeVar('_T')
_MARK = '_ovmlv_sharded'


def mark_as_sharded(module: nn.Module) -> None:
    """Note on a module, and on all below it, that its weights are spread over processes."""
    for submodule in module.modules():
        setattr(submodule, _MARK, True)


def is_sharded(module: Any) -> bool:
    """Whether a module's weights are spread over processes."""
    return getattr(module, _MARK, False)


def in_step(module: Any, parts: Sequence[_T], spare: _T) -> Iterator[tuple[_T, bool]]:
    """Give parts of work without gradient for a module, as many on every process.

    Args:
        module: What does the work.
        parts: The work of this process.
        spare: Work to do again and throw away, while others still have something to do.

    Yields:
        A part, and whether its result is wanted.
    """
    count = len(parts)
    if is_sharded(module):  # first of all: others may begin to gather at once
        most = torch.tensor([count], device=_device(module))
        all_reduce(most, 'max')
        count = int(most)
    yield from ((part, True) for part in parts)
    yield from ((spare, False) for _ in range(count - len(parts)))


def any_process(module: Any, flag: bool) -> bool:
    """Whether a flag is true on any process that holds a share of a module's weights."""
    if not is_sharded(module):
        return flag
    found = torch.tensor([int(flag)], device=_device(module))
    all_reduce(found, 'max')
    return bool(found)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that is here, which is all of it unless it is sharded."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
