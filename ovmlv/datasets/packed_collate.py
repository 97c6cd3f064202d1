"""How a batch comes from a worker process to the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch import Tensor

from ovmlv.registry import FUNCTIONS


@FUNCTIONS.register_module()
def packed_collate(batch: Sequence[Any]) -> Any:
    """mmengine's ``pseudo_collate``, which sends the tensors of a batch as two.

    A worker hands every tensor over by a file of its own, which takes the time of copying half a
    megabyte. Small videos, and the targets of many labels, come faster when they are packed into
    one tensor on the way. What arrives is the same.

    Examples:
        >>> import torch
        >>> from ovmlv.datasets.packed_collate import packed_collate
        >>> batch = packed_collate([dict(inputs=torch.zeros(2)), dict(inputs=torch.ones(2))])
        >>> batch['inputs']
        [tensor([0., 0.]), tensor([1., 1.])]
    """
    data = pseudo_collate(batch)
    if isinstance(data, dict):
        if _alike(data.get('inputs')):
            data['inputs'] = _Tensors(data['inputs'])
        samples = data.get('data_samples')
        if isinstance(samples, list) and _alike([s.get('gt_label') for s in samples]):
            data['data_samples'] = _Samples(samples)
    return data


class _Tensors(list[Tensor]):
    """Tensors of one shape that are pickled as one."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (torch.stack(tuple(self)),)


class _Samples(list[ActionDataSample]):
    """Samples whose targets are pickled as one tensor."""

    def __reduce__(self) -> tuple[Any, ...]:
        targets = torch.stack([sample.gt_label for sample in self])
        rest = [sample.clone() for sample in self]
        for sample in rest:
            del sample.gt_label
        return _with_targets, (rest, targets)


def _unpacked(stacked: Tensor) -> list[Tensor]:
    return list(stacked.unbind())


def _with_targets(samples: list[ActionDataSample], targets: Tensor) -> list[ActionDataSample]:
    for sample, target in zip(samples, targets.unbind(), strict=True):
        sample.gt_label = target
    return samples


def _alike(tensors: Any) -> bool:
    """Whether it is a list of tensors of one shape and kind."""
    if not isinstance(tensors, list) or not all(isinstance(t, Tensor) for t in tensors):
        return False
    return len({(t.shape, t.dtype, t.device) for t in tensors}) == 1
