"""Random numbers that depend on the place in the run, so that a resumed run repeats them."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset.utils import worker_init_fn
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from ovmlv.registry import HOOKS

# Streams of random numbers, kept apart by the first word of their seed.
_EPOCH, _STEP, _BATCH, _WORKERS = range(4)


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds every epoch, batch and step from the run's seed and its own number.

    mmengine seeds once at the start and writes no generator's state into checkpoints, so that a
    resumed run draws other augmentations, dropout masks and label subsets than the uninterrupted
    one would have. With this hook, both draw the same: a run that is killed and resumed ends with
    the weights of a run that is not killed (on the CPU; on GPUs, up to non-deterministic kernels).

    It also gives the workers of a loader new seeds in every epoch, whereas mmengine gives them the
    same ones again. An epoch starts with new workers even if they are persistent, since the state
    of old ones cannot be restored.

    Args:
        restart_workers: Whether to end persistent workers at the end of an epoch. False keeps them,
            but augmentations after a resumption then differ.
    """

    priority = 'VERY_HIGH'

    def __init__(self, restart_workers: bool = True) -> None:
        self.restart_workers = restart_workers

    def before_train(self, runner: Any) -> None:
        loop = runner.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            # A resumed loop first draws the batches of the past; numbering them all makes their
            # random numbers independent of what the steps in between drew.
            loop.dataloader_iterator = _SeededBatches(loop.dataloader_iterator, runner.seed)

    def before_train_epoch(self, runner: Any) -> None:
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return  # its one epoch never ends, and its loader is running already
        _seed_all(runner.seed, _EPOCH, runner.epoch)
        loader = runner.train_dataloader
        if getattr(loader, 'num_workers', 0) == 0:
            return
        init = loader.worker_init_fn
        if isinstance(init, functools.partial) and init.func is worker_init_fn:
            seed = _derive(runner.seed, _WORKERS, runner.epoch)
            # Below 2**31: mmengine adds rank and worker to it, and numpy takes 32 bits.
            keywords = {**init.keywords, 'seed': seed >> 1}
            loader.worker_init_fn = functools.partial(init.func, *init.args, **keywords)
        if self.restart_workers and loader.persistent_workers:
            loader._iterator = None

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        _seed_all(runner.seed, _STEP, runner.iter)


class _SeededBatches:
    """An iterator whose n-th batch is drawn with generators seeded by n."""

    def __init__(self, batches: Iterator[Any], seed: int) -> None:
        self._batches = batches
        self._seed = seed
        self._count = 0

    def __iter__(self) -> _SeededBatches:
        return self

    def __next__(self) -> Any:
        _seed_all(self._seed, _BATCH, self._count)
        self._count += 1
        return next(self._batches)


def _derive(*words: int) -> int:
    """A 32-bit seed from several numbers, well mixed."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def _seed_all(*words: int) -> None:
    seed = _derive(*words)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # of every device
