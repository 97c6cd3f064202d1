"""FAULTS F2: how heads of mmpretrain, mmdet and mmaction2 call a loss."""

import importlib.util

import pytest
import torch
from torch import nn

from ovmlv.errors import ConfigError, DataError, OvmlvError
from ovmlv.models.losses import (
    AsymmetricLoss,
    MultilabelBCELoss,
    MultilabelFocalLoss,
    RegularizedMultilabelLoss,
    TwoWayLoss,
)

ELEMENTWISE = [MultilabelBCELoss, AsymmetricLoss, MultilabelFocalLoss]
ALL = [*ELEMENTWISE, TwoWayLoss, RegularizedMultilabelLoss]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(6, 9, generator=generator, dtype=torch.float64)
    targets = (torch.rand(6, 9, generator=generator) < 0.3).double()
    return logits, targets


@pytest.mark.parametrize('make', ELEMENTWISE)
def test_weights_and_average_factor_are_those_of_weight_reduce_loss(make, batch):
    logits, targets = batch
    each = make(reduction='none')(logits, targets)
    rows, entries = torch.rand(6).double(), torch.rand(6, 9).double()
    loss = make()
    for weight, full in ((rows, rows[:, None]), (rows[:, None], rows[:, None]), (entries, entries)):
        # positional, as mmdet calls
        found = loss(logits, targets, weight, avg_factor=4)
        assert torch.allclose(found, (each * full).sum() / 4)
        assert torch.allclose(loss(logits, targets, weight), (each * full).mean())
        for how, expected in (
            ('none', each * full), ('sum', (each * full).sum()), ('mean', (each * full).mean())
        ):  # fmt: skip
            found = loss(logits, targets, weight, reduction_override=how)
            assert torch.allclose(found, expected)
    none = loss(logits, targets, None, avg_factor=torch.tensor(6.0), reduction_override='none')
    assert torch.allclose(none, each)
    scaled = make(loss_weight=2.5, reduction='sum')(logits, targets)
    assert torch.allclose(scaled, 2.5 * each.sum())


def test_unknown_entries_with_a_hosts_arguments(batch):
    logits, targets = batch
    targets[torch.rand(6, 9, generator=torch.Generator().manual_seed(1)) < 0.3] = -1
    known, rows = targets >= 0, torch.rand(6).double()
    each = MultilabelBCELoss(reduction='none')(logits, targets)
    assert (each[~known] == 0).all()
    weighted = MultilabelBCELoss()(logits, targets, rows)
    assert torch.allclose(weighted, (each * rows[:, None]).sum() / known.sum())
    found = MultilabelBCELoss()(logits, targets, rows, 6)
    assert torch.allclose(found, (each * rows[:, None]).sum() / 6)


@pytest.mark.parametrize('make', ALL)
def test_every_form_of_target_means_the_same(make, batch):
    logits = batch[0]
    index = torch.tensor([3, 0, 8, 1, 4, 4])
    hot = nn.functional.one_hot(index, 9)
    loss = make()
    expected = loss(logits, hot.double(), avg_factor=6)
    for targets in (hot, hot.bool(), hot.to(torch.int8), hot.half(), index, index[:, None]):
        assert torch.allclose(loss(logits, targets, avg_factor=6), expected)
    one = loss(logits[:1], hot[0].double(), avg_factor=1)  # mmaction2 squeezes a batch of one
    assert torch.allclose(one, loss(logits[:1], hot[:1], avg_factor=1))
    # mmdet: index C is the background, a negative one is ignored
    nothing = torch.zeros(1, 9)
    background = loss(logits[:1], torch.tensor([9]), avg_factor=1)
    assert torch.allclose(background, loss(logits[:1], nothing, avg_factor=1))
    x = logits[:1].clone().requires_grad_()
    loss(x, torch.tensor([-1]), avg_factor=1).backward()
    assert (x.grad == 0).all()
    with pytest.raises(DataError, match='label 10, but there are 9'):
        loss(logits[:1], torch.tensor([10]), avg_factor=1)


@pytest.mark.parametrize('make', ALL)
def test_a_scalar_comes_out_that_trains(make, batch):
    logits, targets = batch
    loss, x = make(), logits.clone().requires_grad_()
    value = loss(x, targets, avg_factor=len(x))
    assert value.shape == ()
    value.backward()
    assert x.grad.any()
    assert torch.allclose(loss(x, targets, avg_factor=12), value / 2)
    total = loss(x, targets, reduction_override='sum')
    assert torch.allclose(total, value * 6)
    one = torch.ones(6)
    assert torch.allclose(loss(x, targets, one, avg_factor=6), value)
    assert loss(x, targets, 0 * one, avg_factor=6) == 0
    entries = torch.ones(6, 9)
    assert torch.allclose(loss(x, targets, entries, avg_factor=6), value)
    halves = loss(x, targets, one, reduction_override='none')
    assert len(halves) == 6 and torch.allclose(halves.sum(), total)
    empty = loss(x[:0], targets[:0], avg_factor=0)
    assert empty == 0 and empty.requires_grad


def test_two_way_shares_add_up_to_the_paper():
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 7).double(), (torch.rand(5, 7) < 0.4).double()
    loss = TwoWayLoss()
    shares = loss(logits, targets, reduction_override='none')
    assert shares.shape == (5,) and torch.allclose(shares.mean(), loss(logits, targets))
    weight = torch.rand(5).double()
    assert torch.allclose(loss(logits, targets, weight, 3), (shares * weight).sum() / 3)
    # an entry of weight 0 is as unknown, one of weight 2 as there twice
    entries = torch.ones(5, 7)
    entries[2, 3], entries[4] = 0, 0
    unknown = torch.where(entries > 0, targets, -1)
    assert torch.allclose(loss(logits, targets, entries), loss(logits, unknown))
    rows = TwoWayLoss(class_wise=0.0)
    twice = torch.ones(5, 7)
    twice[:, 2] = 2
    columns = [0, 1, 2, 2, 3, 4, 5, 6]
    expected = rows(logits[:, columns], targets[:, columns])
    assert torch.allclose(rows(logits, targets, twice), expected)


def test_terms_of_the_regularised_loss_or_their_sum(batch):
    logits, targets = batch
    loss = RegularizedMultilabelLoss(loss_weight=3)
    plain = loss(logits, targets)
    assert list(plain) == ['loss_cls']
    for host in (dict(weight=None), dict(avg_factor=None), dict(reduction_override=None)):
        assert torch.equal(loss(logits, targets, **host), plain['loss_cls'])
    scalar = RegularizedMultilabelLoss(loss_weight=3, scalar=True)
    assert torch.equal(scalar(logits, targets), plain['loss_cls'])
    video, reference = torch.randn(6, 4).double(), torch.randn(6, 4).double()
    both = RegularizedMultilabelLoss(video_distill=0.5)
    terms = both(logits, targets, video=video, video_ref=reference)
    total = both(logits, targets, avg_factor=54, video=video, video_ref=reference)
    assert torch.allclose(total, terms['loss_cls'] + terms['loss_video_distill'])
    with pytest.raises(ConfigError, match='in heads of other projects, set video_distill=0'):
        both(logits, targets, avg_factor=6)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda x, y: MultilabelBCELoss()(x, y, torch.ones(5)), r'weight has shape \(5,\)'),
        (lambda x, y: TwoWayLoss()(x, y, torch.ones(9)), r'weight has shape \(9,\)'),
        (lambda x, y: AsymmetricLoss(reduction='sum')(x, y, avg_factor=6), 'avg_factor does not'),
        (lambda x, y: TwoWayLoss()(x, y, reduction_override='max'), "reduction='max' is not one"),
        (lambda x, y: MultilabelFocalLoss(use_sigmoid=False), 'set it to True'),
        (lambda x, y: RegularizedMultilabelLoss(use_sigmoid=False), 'set it to True'),
        (lambda x, y: MultilabelBCELoss(loss_weight='x'), "loss_weight='x' must be a number"),
        (lambda x, y: MultilabelBCELoss()(x, y[:3]), r'targets \(3, 9\)'),
    ],
)
def test_what_cannot_be_is_named(call, message, batch):
    with pytest.raises(OvmlvError, match=message) as error:
        call(*batch)
    assert '\n' not in str(error.value)


@pytest.mark.skipif(not importlib.util.find_spec('mmpretrain'), reason='needs mmpretrain')
def test_values_are_mmpretrains_own(batch):
    from mmpretrain.models import losses as theirs

    logits, targets = (tensor.float() for tensor in batch)
    weights = dict(
        class_weight=[0.5 + i / 9 for i in range(9)], pos_weight=[2.0 - i / 9 for i in range(9)]
    )
    pairs = [
        (AsymmetricLoss(2.0, 0.5, 0.05), theirs.AsymmetricLoss(0.5, 2.0, 0.05)),
        (AsymmetricLoss(4.0, 0.0, 0.0), theirs.AsymmetricLoss(0.0, 4.0, 0.0)),
        (MultilabelFocalLoss(2.0, 0.25), theirs.FocalLoss(2.0, 0.25)),
        (MultilabelBCELoss(), theirs.CrossEntropyLoss(use_sigmoid=True)),
        (MultilabelBCELoss(**weights), theirs.CrossEntropyLoss(use_sigmoid=True, **weights)),
    ]
    arguments = [
        {}, dict(avg_factor=6), dict(weight=torch.rand(6)),
        dict(weight=torch.rand(6), avg_factor=4),
        dict(reduction_override='sum'), dict(reduction_override='none', weight=torch.rand(6)),
    ]  # fmt: skip
    for ours, other in pairs:
        ours.loss_weight = other.loss_weight = 1.7
        for kwargs in arguments:
            expected = other(logits, targets, **kwargs)
            torch.testing.assert_close(ours(logits, targets, **kwargs), expected)
            base = RegularizedMultilabelLoss(base=other, scalar=True)(logits, targets, **kwargs)
            torch.testing.assert_close(base, expected)
