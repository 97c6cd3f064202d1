"""BCE, asymmetric and focal loss: closed forms, outside libraries, gradients, unknown labels."""

import math

import pytest
import torch
from sklearn.metrics import log_loss
from torchvision.ops import sigmoid_focal_loss

from ovmlv.errors import ConfigError
from ovmlv.models.losses import AsymmetricLoss, MultilabelBCELoss, MultilabelFocalLoss

LOSSES = {
    'bce': lambda **kw: MultilabelBCELoss(**kw),
    'asl': lambda **kw: AsymmetricLoss(**kw),
    'asl_no_clip': lambda **kw: AsymmetricLoss(gamma_neg=2.5, gamma_pos=0.5, clip=0.0, **kw),
    'asl_root': lambda **kw: AsymmetricLoss(gamma_neg=0.5, gamma_pos=0.0, clip=0.2, **kw),
    'focal': lambda **kw: MultilabelFocalLoss(**kw),
    'focal_plain': lambda **kw: MultilabelFocalLoss(gamma=1.5, alpha=None, **kw),
}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 9, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, 2, (6, 9), generator=generator)
    assert set(targets.unique().tolist()) == {-1, 0, 1}
    return logits, targets


def closed_form(name, x, y):
    """One term, straight from the papers, with Python's floats."""
    p = 1 / (1 + math.exp(-x))
    if name == 'bce':
        return -math.log(p if y else 1 - p)
    if name.startswith('asl'):
        gamma_neg, gamma_pos, clip = {
            'asl': (4, 1, 0.05),
            'asl_no_clip': (2.5, 0.5, 0.0),
            'asl_root': (0.5, 0.0, 0.2),
        }[name]
        p_m = max(p - clip, 0.0)
        return -((1 - p) ** gamma_pos) * math.log(p) if y else -(p_m**gamma_neg) * math.log(1 - p_m)
    gamma, pos, neg = {'focal': (2, 0.25, 0.75), 'focal_plain': (1.5, 1, 1)}[name]
    return -pos * (1 - p) ** gamma * math.log(p) if y else -neg * p**gamma * math.log(1 - p)


@pytest.mark.parametrize('name', LOSSES)
def test_equals_the_closed_form(name, batch):
    logits, targets = batch
    rows = [
        [closed_form(name, x, y) for x, y in zip(xs, ys, strict=True) if y >= 0]
        for xs, ys in zip(logits.tolist(), targets.tolist(), strict=True)
    ]
    terms = [t for row in rows for t in row]
    loss = LOSSES[name]
    assert loss()(logits, targets).item() == pytest.approx(sum(terms) / len(terms), rel=1e-10)
    total = loss(reduction='sum_per_sample')(logits, targets).item()
    assert total == pytest.approx(sum(terms) / len(rows), rel=1e-10)
    each = loss(reduction='none')(logits, targets)
    assert each[targets >= 0].tolist() == pytest.approx(terms, rel=1e-10)
    assert (each[targets < 0] == 0).all()


@pytest.mark.parametrize('name', LOSSES)
def test_gradient_equals_finite_differences(name, batch):
    logits, targets = batch
    loss = LOSSES[name](pos_weight=2.0)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits.clone().requires_grad_())


@pytest.mark.parametrize('name', LOSSES)
def test_unknown_labels_have_exactly_no_gradient(name, batch):
    logits, targets = batch
    logits = logits.clone()
    logits[targets < 0] = math.nan  # nothing of an unknown entry may enter
    logits.requires_grad_()
    LOSSES[name]()(logits, targets).backward()
    assert (logits.grad[targets < 0] == 0).all()
    known = logits.grad[targets >= 0]
    assert known.isfinite().all() and (known != 0).any()


@pytest.mark.parametrize('reduction', ['mean', 'sum_per_sample'])
@pytest.mark.parametrize('name', LOSSES)
def test_a_batch_of_unknown_labels_costs_nothing_and_keeps_the_graph(name, reduction):
    logits = torch.randn(2, 3, requires_grad=True)
    loss = LOSSES[name](reduction=reduction)(logits, torch.full((2, 3), -1))
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', LOSSES)
def test_extreme_logits_stay_finite(name, dtype):
    logits = torch.tensor([[-3e4, -90.0, 0.0, 90.0, 3e4]] * 2, dtype=dtype, requires_grad=True)
    targets = torch.tensor([[1] * 5, [0] * 5])
    loss = LOSSES[name]()(logits, targets)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite() and logits.grad.isfinite().all()


def test_bce_equals_sklearn_and_torch(batch):
    logits, targets = batch
    known = targets >= 0
    expected = log_loss(targets[known].numpy(), logits[known].sigmoid().numpy())
    assert MultilabelBCELoss()(logits, targets).item() == pytest.approx(expected, rel=1e-9)
    weight, pos_weight = torch.rand(9).double() + 0.5, torch.rand(9).double() + 0.5
    ours = MultilabelBCELoss(class_weight=weight.tolist(), pos_weight=pos_weight.tolist())
    soft = torch.rand(6, 9, dtype=torch.float64)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, soft, weight.float().double(), pos_weight=pos_weight.float().double()
    )
    assert ours(logits, soft).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize(('gamma', 'alpha'), [(2.0, 0.25), (0.0, 0.6), (3.0, None)])
def test_focal_equals_torchvision(gamma, alpha, batch):
    logits, targets = batch
    targets = targets.clamp(min=0)
    expected = sigmoid_focal_loss(
        logits, targets.double(), -1 if alpha is None else alpha, gamma, reduction='mean'
    )
    ours = MultilabelFocalLoss(gamma, alpha)(logits, targets)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-9)


def test_asymmetric_loss_without_focus_is_bce(batch):
    loss = AsymmetricLoss(gamma_neg=0, gamma_pos=0, clip=0)
    assert torch.allclose(loss(*batch), MultilabelBCELoss()(*batch), rtol=1e-12)


def test_detached_focus_changes_the_gradient_alone(batch):
    logits, targets = batch
    grads, values = [], []
    for detach in (False, True):
        x = logits.clone().requires_grad_()
        value = AsymmetricLoss(detach_focus=detach)(x, targets)
        value.backward()
        values.append(value.item())
        grads.append(x.grad)
    assert values[0] == values[1] and not torch.allclose(*grads)


def test_weights_follow_the_columns_of_a_subset(batch):
    logits, targets = batch
    columns = torch.tensor([7, 2, 5])
    weight = list(range(1, 10))
    whole = MultilabelBCELoss(class_weight=weight, pos_weight=weight, reduction='none')(
        logits, targets
    )
    part = MultilabelBCELoss(class_weight=weight, pos_weight=weight, reduction='none')(
        logits[:, columns], targets[:, columns], columns=columns, column_weight=torch.ones(3)
    )
    assert torch.equal(part, whole[:, columns])


def test_column_weights_count_labels_several_times(batch):
    logits, targets = batch
    repeats = torch.tensor([1, 2, 1, 3, 1, 1, 2, 1, 1])
    loss = MultilabelBCELoss()
    expected = loss(logits.repeat_interleave(repeats, 1), targets.repeat_interleave(repeats, 1))
    assert torch.allclose(
        loss(logits, targets, columns=torch.arange(9), column_weight=repeats), expected, rtol=1e-12
    )


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: MultilabelBCELoss(reduction='max'), "reduction='max' is not one of"),
        (lambda: AsymmetricLoss(clip=1.5), 'clip=1.5'),
        (lambda: MultilabelFocalLoss(alpha=2), 'alpha=2'),
        (
            lambda: MultilabelBCELoss(class_weight=[1.0, 2.0])(
                torch.zeros(1, 3), torch.zeros(1, 3)
            ),
            'has 2 values',
        ),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ConfigError, match=message) as error:
        make()
    assert '\n' not in str(error.value)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and targets \(2,\)'):
        MultilabelBCELoss()(torch.zeros(2, 3), torch.zeros(2))
