"""Two-way loss against its formula."""

import math

import pytest
import torch

from ovmlv.errors import ConfigError
from ovmlv.models.losses import TwoWayLoss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(5, 7, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, 2, (5, 7), generator=generator)
    targets[2] = 0  # a video without positives
    targets[:, 3] = torch.tensor([1, -1, 1, 1, -1])  # a label without negatives
    return logits, targets


def way(logits, targets, temperature_pos, temperature_neg):
    """Equation 6, row by row in plain Python: log(1 + (sum e^(x/Tn))^Tn (sum e^(-x/Tp))^Tp)."""
    terms = []
    for xs, ys in zip(logits.tolist(), targets.tolist(), strict=True):
        pos = [math.exp(-x / temperature_pos) for x, y in zip(xs, ys, strict=True) if y == 1]
        neg = [math.exp(x / temperature_neg) for x, y in zip(xs, ys, strict=True) if y == 0]
        if pos:
            terms.append(math.log1p(sum(neg) ** temperature_neg * sum(pos) ** temperature_pos))
    return sum(terms) / len(terms)


@pytest.mark.parametrize(('tp', 'tn'), [(4.0, 1.0), (1.0, 1.0), (2.0, 3.0)])
def test_equals_the_closed_form(tp, tn, batch):
    logits, targets = batch
    expected = way(logits, targets, tp, tn) + way(logits.T, targets.T, tp, tn)
    assert TwoWayLoss(tp, tn)(logits, targets).item() == pytest.approx(expected, rel=1e-10)


def test_the_two_ways_can_be_weighted(batch):
    logits, targets = batch
    expected = 0.5 * way(logits, targets, 4, 1)
    assert TwoWayLoss(class_wise=0, sample_wise=0.5)(logits, targets).item() == pytest.approx(
        expected
    )


def test_gradient_equals_finite_differences(batch):
    logits, targets = batch
    assert torch.autograd.gradcheck(
        lambda x: TwoWayLoss()(x, targets), logits.clone().requires_grad_()
    )


def test_unknown_labels_have_exactly_no_gradient(batch):
    logits, targets = batch
    logits = logits.clone()
    logits[targets < 0] = math.nan
    logits.requires_grad_()
    TwoWayLoss()(logits, targets).backward()
    assert (logits.grad[targets < 0] == 0).all()
    assert logits.grad.isfinite().all() and (logits.grad[targets >= 0] != 0).any()


@pytest.mark.parametrize('value', [-1, 0, 1])
def test_without_positives_or_negatives_it_is_zero_and_keeps_the_graph(value):
    logits = torch.randn(2, 3, requires_grad=True)
    loss = TwoWayLoss()(logits, torch.full((2, 3), value))
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[-3e4, 3e4, 0.0], [3e4, 0.0, -3e4]], requires_grad=True)
    loss = TwoWayLoss()(logits, torch.tensor([[1, 0, 1], [0, 1, 0]]))
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_weighted_columns_count_as_repeated_negatives(batch):
    logits, targets = batch
    repeats = torch.where((targets == 1).any(0), 1, 3)
    loss = TwoWayLoss(class_wise=0)
    expected = loss(logits.repeat_interleave(repeats, 1), targets.repeat_interleave(repeats, 1))
    assert torch.allclose(
        loss(logits, targets, columns=torch.arange(7), column_weight=repeats), expected, rtol=1e-12
    )


def test_temperatures_are_positive():
    with pytest.raises(ConfigError, match='temperature_pos=0'):
        TwoWayLoss(temperature_pos=0)
