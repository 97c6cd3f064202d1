"""A check for loaders of training data that give nothing to train on."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from mmengine.dataset import InfiniteSampler

from ovmlv.errors import ConfigError


def refuse_missing_batches(loader: Any) -> None:
    """Refuse to train for epochs without a batch; mmengine would then save the start weights.

    An endless sampler fills its batches from several rounds over the data.

    Args:
        loader: ``train_dataloader`` as the runner has built it.

    Raises:
        ConfigError: Batches are larger than the data, and ``drop_last`` drops them.
    """
    sampler = getattr(loader, 'sampler', None)
    if isinstance(sampler, InfiniteSampler) or not hasattr(loader, '__len__') or len(loader):
        return
    size = len(sampler if isinstance(sampler, Sized) else loader.dataset)
    raise ConfigError(
        f'train_dataloader: batch_size={loader.batch_size} and drop_last=True leave no batch of '
        f'{size} samples a process; lower batch_size, or set drop_last=False'
    )
