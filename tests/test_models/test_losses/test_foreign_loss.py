"""FAULTS F9: an unknown label never reaches the loss of another project as a target."""

import pytest
import torch
from torch import nn

from ovmlv.compat import apply
from ovmlv.errors import ConfigError
from ovmlv.models.losses import MultilabelBCELoss, RegularizedMultilabelLoss
from ovmlv.registry import MODELS

apply()


class Seen(nn.Module):
    """A loss that refuses what is no target, and is no mean over entries."""

    def forward(self, logits, targets):
        assert ((targets >= 0) & (targets <= 1)).all()
        return -(targets * logits.log_softmax(1)).sum(1).mean()


class Hinge(nn.Module):
    """A user's elementwise loss in mmdet's manner."""

    def forward(self, pred, target, weight=None, avg_factor=None, reduction_override=None):
        assert ((target >= 0) & (target <= 1)).all()
        terms = (1 - (2 * target - 1) * pred).clamp(min=0)
        return terms if reduction_override == 'none' else terms.sum()


@pytest.fixture
def batch():
    torch.manual_seed(0)
    logits, targets = 2 * torch.randn(6, 5), torch.randint(-1, 2, (6, 5))
    targets[4] = -1
    logits[targets < 0] = torch.nan  # nothing of an unknown entry may enter
    return logits.requires_grad_(), targets


def foreign():
    from mmaction.models.losses import BCELossWithLogits

    return [
        nn.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss(reduction='sum'), nn.MSELoss(),
        nn.BCEWithLogitsLoss(pos_weight=torch.arange(1.0, 6)), nn.MultiLabelSoftMarginLoss(),
        nn.CrossEntropyLoss(), nn.SmoothL1Loss(), Seen(), Hinge(), BCELossWithLogits(),
        BCELossWithLogits(class_weight=[1.0, 2, 3, 4, 5]),
    ]  # fmt: skip


@pytest.mark.parametrize('index', range(11))
def test_no_gradient_and_no_value_of_an_unknown_label(index, batch):
    logits, targets = batch
    loss = RegularizedMultilabelLoss(base=foreign()[index])
    value = loss(logits, targets)['loss_cls']
    value.backward()
    known = targets >= 0
    assert value.isfinite() and value > 0 and (logits.grad[~known] == 0).all()
    assert logits.grad[known].isfinite().all() and logits.grad[known].any()
    nothing = loss(logits, torch.full_like(targets, -1))['loss_cls']
    nothing.backward()
    assert nothing == 0


def test_means_are_over_the_known_entries(batch):
    logits, targets = batch
    known = targets >= 0
    x, y = logits[known], targets[known].float()
    for base in (nn.BCEWithLogitsLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss(reduction='sum')):
        found = RegularizedMultilabelLoss(base=base)(logits, targets)['loss_cls']
        torch.testing.assert_close(found, base(x, y))
    from mmaction.models.losses import BCELossWithLogits

    found = RegularizedMultilabelLoss(base=BCELossWithLogits(loss_weight=2.0))(logits, targets)
    torch.testing.assert_close(found['loss_cls'], 2 * MultilabelBCELoss()(logits, targets))
    by_config = dict(type='mmaction.BCELossWithLogits', class_weight=[1.0, 2, 3, 4, 5])
    found = MODELS.build(dict(type='RegularizedMultilabelLoss', base=by_config))(logits, targets)
    expected = MultilabelBCELoss(class_weight=[1.0, 2, 3, 4, 5])(logits, targets)
    torch.testing.assert_close(found['loss_cls'], expected)


def test_an_unknown_label_is_out_of_softmaxes_and_rankings(batch):
    logits, targets = batch
    found = RegularizedMultilabelLoss(base=Seen())(logits, targets)['loss_cls']
    rows = [
        -(y[y >= 0] * x[y >= 0].log_softmax(0)).sum()
        for x, y in zip(logits, targets, strict=True)
        if (y >= 0).any()
    ]
    torch.testing.assert_close(found, torch.stack(rows).mean())


def test_what_a_head_passes_reaches_foreign_losses_too(batch):
    logits, targets = batch
    weight = torch.rand(6)
    each = MultilabelBCELoss(reduction='none')(logits, targets)
    loss = RegularizedMultilabelLoss(base=nn.BCEWithLogitsLoss())
    found = loss(logits, targets, weight, avg_factor=6)
    torch.testing.assert_close(found, (each * weight[:, None]).sum() / 6)
    total = loss(logits, targets, reduction_override='sum')
    torch.testing.assert_close(total, each.sum())
    with pytest.raises(ConfigError, match='base Seen takes no avg_factor'):
        RegularizedMultilabelLoss(base=Seen())(logits, targets, avg_factor=6)


def test_complete_targets_are_a_plain_call():
    calls = []

    class Counts(nn.Module):
        def forward(self, logits, targets):
            calls.append(targets.dtype)
            return logits.sum()

    loss = RegularizedMultilabelLoss(base=Counts())
    assert loss(torch.ones(2, 3), torch.ones(2, 3, dtype=torch.int64))['loss_cls'] == 6
    assert calls == [torch.float32]
    index = RegularizedMultilabelLoss(base=nn.CrossEntropyLoss())
    logits, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    expected = nn.functional.cross_entropy(logits, labels)
    assert torch.equal(index(logits, labels)['loss_cls'], expected)
