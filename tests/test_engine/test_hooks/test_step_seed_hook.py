"""StepSeedHook: random numbers by place in the run. Whole runs: test_tools/test_train_cli.py."""

import functools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset.utils import worker_init_fn
from torch.utils.data import DataLoader

from ovmlv.engine.hooks import StepSeedHook


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


def runner(seed=5, epoch=0, iteration=0, **loader):
    data = DataLoader(list(range(6)), **loader)
    return SimpleNamespace(
        seed=seed, epoch=epoch, iter=iteration, train_dataloader=data, train_loop=None
    )


def drawn_in(name, **place):
    hook, run = StepSeedHook(), runner(**place)
    arguments = dict(batch_idx=0) if name == 'before_train_iter' else {}
    getattr(hook, name)(run, **arguments)
    return draw()


@pytest.mark.parametrize(
    ('name', 'place'), [('before_train_iter', 'iteration'), ('before_train_epoch', 'epoch')]
)
def test_numbers_depend_on_seed_and_place_alone(name, place):
    first = drawn_in(name, **{place: 3})
    draw()  # whatever came in between
    assert drawn_in(name, **{place: 3}) == first
    others = [drawn_in(name, **{place: 4}), drawn_in(name, **{place: 3}, seed=6)]
    for other in others:
        assert all(a != b for a, b in zip(first, other, strict=True))


def test_epochs_and_steps_of_one_number_differ():
    assert drawn_in('before_train_iter', iteration=3) != drawn_in('before_train_epoch', epoch=3)


class Noise(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.tensor(draw(), dtype=torch.float64)


def epoch_of_noise(epoch):
    init = functools.partial(worker_init_fn, num_workers=2, rank=0, seed=5)
    loader = DataLoader(Noise(), num_workers=2, worker_init_fn=init, multiprocessing_context='fork')
    run = SimpleNamespace(seed=5, epoch=epoch, iter=0, train_dataloader=loader, train_loop=None)
    StepSeedHook().before_train_epoch(run)
    return torch.cat(list(loader))


def test_workers_draw_anew_each_epoch_and_the_same_again_in_a_resumed_one():
    """mmengine's workers draw the same numbers in every epoch."""
    first, second = epoch_of_noise(0), epoch_of_noise(1)
    assert torch.equal(epoch_of_noise(1), second)
    assert (first != second).all()


@pytest.mark.parametrize('restart', [True, False])
def test_persistent_workers_end_with_the_epoch(restart):
    run = runner(num_workers=1, persistent_workers=True, multiprocessing_context='fork')
    list(run.train_dataloader)
    assert run.train_dataloader._iterator is not None
    StepSeedHook(restart_workers=restart).before_train_epoch(run)
    assert (run.train_dataloader._iterator is None) is restart
