"""What holds without several processes; tests/test_engine/test_strategies has the rest."""

from __future__ import annotations

import torch
from torch import nn

from ovmlv.models.utils.frozen import copy_of_weights, exclude_frozen_from_state_dict, freeze
from ovmlv.models.utils.sharding import in_step, is_sharded, mark_as_sharded


def test_one_process_does_its_own_work_alone():
    module = nn.Sequential(nn.Linear(1, 1))
    assert list(in_step(module, [1, 2], 0)) == [(1, True), (2, True)]
    assert not is_sharded(module) and not is_sharded(None)
    mark_as_sharded(module)
    assert is_sharded(module[0])
    assert list(in_step(module, [1, 2], 0)) == [(1, True), (2, True)]
    assert list(in_step(module, [], 0)) == []


def test_copy_for_an_average_shares_what_is_frozen():
    model = nn.ModuleDict(
        dict(frozen=nn.Linear(2, 3), live=nn.Linear(3, 4), norm=nn.BatchNorm1d(4))
    )
    model['again'] = model['live']
    freeze(model['frozen'])
    exclude_frozen_from_state_dict(model)
    copy = copy_of_weights(model)
    names = [name for name, _ in model.named_parameters()]
    assert [name for name, _ in copy.named_parameters()] == names
    assert [name for name, _ in copy.named_buffers()] == [n for n, _ in model.named_buffers()]
    one, other = model.state_dict(), copy.state_dict()
    assert list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)
    for (name, old), new in zip(model.named_parameters(), copy.parameters(), strict=True):
        assert (new is old) == name.startswith('frozen') and not new.requires_grad
    copy.load_state_dict(one)
