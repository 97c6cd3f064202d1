"""Frozen weights stay out of checkpoints, stay in eval mode and are checked at loading."""

import copy
import pickle

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import load_state_dict as mmengine_load_state_dict
from torch import nn

from ovmlv.errors import CheckpointError
from ovmlv.models.utils.frozen import (
    FINGERPRINT_KEY,
    exclude_frozen_from_state_dict,
    fingerprint,
    freeze,
    freeze_tensors,
    is_frozen,
)


class Branched(nn.Module):
    """A frozen tower with tied weights and a batch norm, beside a small trainable branch."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        exclude_frozen_from_state_dict(self)  # on purpose before the parts exist
        torch.manual_seed(seed)
        self.tower = nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 4)
        )
        self.tower[3].weight = self.tower[0].weight
        self.branch = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(4))
        self.shift = nn.Parameter(torch.zeros(4))
        freeze(self.tower)
        freeze_tensors(self, ['scale'])

    def forward(self, x):
        return self.tower(x) * self.scale + self.branch(x) + self.shift


TRAINED = {'branch.weight', 'branch.bias', 'shift'}


def change(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)


def copies(model):
    yield model
    yield copy.deepcopy(model)
    yield pickle.loads(pickle.dumps(model))


def test_state_dict_holds_what_trains():
    for model in copies(Branched()):
        assert set(model.state_dict()) == TRAINED | {FINGERPRINT_KEY}
        assert {n for n, p in model.named_parameters() if p.requires_grad} == TRAINED
        wrapped = nn.ModuleDict({'module': model})
        assert set(wrapped.state_dict()) == {f'module.{k}' for k in TRAINED | {FINGERPRINT_KEY}}


def test_train_mode_reaches_all_but_the_frozen():
    for model in copies(Branched()):
        parent = nn.Sequential(model)
        parent.train()
        assert model.training and model.branch.training
        assert not any(m.training for m in model.tower.modules())
        assert model.tower.train() is model.tower
        assert is_frozen(model.tower) and not is_frozen(model.branch) and not is_frozen(model)
        mean = model.tower[1].running_mean.clone()
        x = torch.randn(8, 4)
        assert torch.equal(model(x), model(x))  # no dropout
        assert torch.equal(mean, model.tower[1].running_mean)


def test_round_trip_is_strict_about_the_rest():
    source = Branched()
    change(source)
    state = source.state_dict()
    for model in copies(Branched()):
        result = model.load_state_dict(state, strict=True)
        assert not result.missing_keys and not result.unexpected_keys
        x = torch.randn(3, 4)
        assert torch.equal(model(x), source.eval()(x))
    for key in TRAINED:
        with pytest.raises(RuntimeError, match='Missing key'):
            Branched().load_state_dict({k: v for k, v in state.items() if k != key})
    with pytest.raises(RuntimeError, match='Unexpected key'):
        Branched().load_state_dict({**state, 'branch.other': torch.ones(1)})


def test_other_frozen_weights_are_refused():
    state = Branched(seed=0).state_dict()
    for load in (
        lambda m: m.load_state_dict(state, strict=False),
        lambda m: mmengine_load_state_dict(m, state),
    ):
        with pytest.raises(CheckpointError, match='other frozen weights'):
            load(Branched(seed=1))
    nudged = Branched(seed=0)
    with torch.no_grad():
        nudged.tower[0].weight.mul_(1.01)
    with pytest.raises(CheckpointError, match=r'tower\.0\.weight'):
        nudged.load_state_dict(state)
    deeper = Branched(seed=0)
    deeper.tower.append(freeze(nn.Linear(4, 4)))
    with pytest.raises(CheckpointError, match='another frozen architecture'):
        deeper.load_state_dict(state)


def test_wrong_shape_is_an_error_even_when_not_strict():
    state = Branched().state_dict()
    state['branch.weight'] = torch.ones(5, 4)
    with pytest.raises(CheckpointError, match=r'branch\.weight is \(5, 4\)'):
        mmengine_load_state_dict(Branched(), state, strict=False)


def test_precision_of_frozen_weights_may_change():
    state = Branched().state_dict()
    model = Branched()
    model.tower.to(torch.bfloat16)
    model.load_state_dict(state)
    assert fingerprint(model.tower) == fingerprint(Branched().tower)
    assert fingerprint(model.tower) != fingerprint(Branched(seed=1).tower)


def test_stages_with_different_frozen_parts():
    """A branch is trained first, then the tower too; checkpoints of both stages fit both models."""

    def unfrozen():
        model = Branched()
        for m in model.modules():
            m.__dict__.pop('_ovmlv_frozen', None)
            m.__dict__.pop('train', None)
        return model.requires_grad_(True)

    first = Branched()
    change(first)
    second = unfrozen()
    second.load_state_dict(first.state_dict())
    change(second)
    assert FINGERPRINT_KEY not in second.state_dict()
    back = Branched()
    back.load_state_dict(second.state_dict())
    x = torch.randn(3, 4)
    assert torch.equal(back.eval()(x), second.eval()(x))


def test_nested_and_repeated_registration():
    outer = nn.ModuleDict({'a': Branched(0), 'b': freeze(nn.Linear(2, 2)), 'c': nn.Linear(2, 2)})
    exclude_frozen_from_state_dict(outer)
    exclude_frozen_from_state_dict(outer)
    expected = {f'a.{k}' for k in TRAINED} | {
        'c.weight',
        'c.bias',
        FINGERPRINT_KEY,
        f'a.{FINGERPRINT_KEY}',
    }
    state = outer.state_dict()
    assert set(state) == expected
    outer.load_state_dict(state, strict=True)


def test_moving_average_of_mmengine():
    model = Branched()
    ema = ExponentialMovingAverage(model, momentum=0.5, update_buffers=True)
    for _ in range(3):
        change(model)
        ema.update_parameters(model)
    state = ema.state_dict()
    assert {k for k in state if k.startswith('module.')} == {
        f'module.{k}' for k in TRAINED | {FINGERPRINT_KEY}
    }
    other = ExponentialMovingAverage(Branched(), momentum=0.5, update_buffers=True)
    other.load_state_dict(state, strict=True)
    assert torch.equal(other.module.branch.weight, ema.module.branch.weight)
    # change() adds 1: the average after steps of 1, 2, 3 is 1, then halfway to 2, then halfway to
    # 3.
    assert torch.allclose(ema.module.shift, torch.full((4,), 2.25))
