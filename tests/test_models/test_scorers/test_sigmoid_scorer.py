"""SigmoidScorer: start values, the bias for a prior, checkpoints."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

from ovmlv.errors import ConfigError
from ovmlv.models.scorers import SigmoidScorer
from ovmlv.models.scorers.calibration import bias_for_prior


@pytest.fixture
def similarities():
    return 0.2 + 0.1 * torch.randn(6, 11, generator=torch.Generator().manual_seed(0))


def test_scores_are_scaled_and_shifted(similarities):
    scorer = SigmoidScorer(init_scale=20.0, init_bias=-3.0)
    assert torch.allclose(scorer(similarities), similarities * 20 - 3, atol=1e-5)


def test_start_values_of_clip(similarities):
    scorer = SigmoidScorer(init_bias='clip')
    scorer.start_from_clip(117.33, -12.93)
    assert torch.allclose(scorer(similarities), similarities * 117.33 - 12.93, atol=1e-4)
    numbers = SigmoidScorer(init_scale=5.0, init_bias=1.0)
    numbers.start_from_clip(117.33, -12.93)
    assert torch.allclose(numbers(similarities), similarities * 5 + 1, atol=1e-5)


def test_no_bias_is_none_for_ever(similarities):
    """The quoted score sigmoid(s / tau)."""
    scorer = SigmoidScorer(init_bias=None)
    scorer.start_from_clip(100.0, -12.93)
    assert not scorer.wants_calibration
    scorer.calibrate(similarities, torch.ones_like(similarities), 0.1)
    assert torch.allclose(scorer(similarities), 100 * similarities, atol=1e-4)
    assert [name for name, p in scorer.named_parameters() if p.requires_grad] == ['log_scale']


@pytest.mark.parametrize('prior', [0.004, 0.3, 0.97])
def test_bias_for_prior_equals_scipys_root(prior, similarities):
    weight = (
        torch.rand(6, 11, generator=torch.Generator().manual_seed(1)) > 0.3
    ).float() * torch.arange(1, 12)
    logits = 50 * similarities
    z, w = logits.double().numpy(), weight.double().numpy()
    expected = brentq(lambda b: np.average(expit(z + b), weights=w) - prior, -100, 100, xtol=1e-12)
    assert bias_for_prior(logits, weight, prior) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(('prior', 'used'), [(0.0, 1e-4), (1.0, 1 - 1e-4)])
def test_priors_without_a_finite_bias_are_clamped(prior, used, similarities):
    bias = bias_for_prior(similarities, torch.ones_like(similarities), prior)
    assert (similarities.double() + bias).sigmoid().mean().item() == pytest.approx(used, rel=1e-6)


def test_nothing_known_gives_no_bias_and_waits(similarities):
    assert bias_for_prior(similarities, torch.zeros_like(similarities), 0.1) is None
    scorer = SigmoidScorer(init_scale=10.0)
    scorer.calibrate(similarities, torch.zeros_like(similarities), 0.1)
    assert scorer.wants_calibration


def test_calibration_happens_once_and_in_training_only(similarities):
    weight = torch.ones_like(similarities)
    scorer = SigmoidScorer()
    scorer.start_from_clip(100.0, None)
    scorer.eval().calibrate(similarities, weight, 0.1)
    assert not scorer.calibrated
    scorer.train().calibrate(similarities, weight, 0.1)
    assert scorer(similarities).sigmoid().mean().item() == pytest.approx(0.1, rel=1e-4)
    before = scorer.bias.item()
    scorer.calibrate(similarities, weight, 0.5)
    assert scorer.calibrated and scorer.bias.item() == before


def test_a_checkpoint_keeps_the_bias_and_the_record(similarities):
    weight = torch.ones_like(similarities)
    trained = SigmoidScorer(init_scale=10.0)
    trained.calibrate(similarities, weight, 0.1)
    resumed = SigmoidScorer(init_scale=10.0)
    resumed.load_state_dict(trained.state_dict())
    resumed.calibrate(similarities, weight, 0.5)
    assert resumed.bias.item() == trained.bias.item()
    resumed.load_state_dict(SigmoidScorer(init_scale=10.0).state_dict())  # of a model never trained
    assert resumed.wants_calibration


def test_before_training_a_typical_cosine_is_unlikely():
    scorer = SigmoidScorer()
    scorer.start_from_clip(100.0, None)
    low, high = scorer(torch.tensor([0.2, 0.3])).sigmoid().tolist()
    assert low == pytest.approx(0.05, rel=1e-3) and 0.9 < high < 1  # no saturation, hence no ties


@pytest.mark.parametrize('learnable', [True, False])
def test_learnable(learnable, similarities):
    scorer = SigmoidScorer(init_scale=10.0, learnable=learnable)
    assert {p.requires_grad for p in scorer.parameters()} == {learnable}
    scorer.calibrate(similarities, torch.ones_like(similarities), 0.1)
    assert scorer.calibrated


def test_a_functional_call_does_not_calibrate(similarities):
    scorer = SigmoidScorer(init_scale=10.0)
    seen = []
    scorer.register_forward_pre_hook(lambda module, _: seen.append(module.wants_calibration))
    others = {name: (p + 1).detach() for name, p in scorer.named_parameters()}
    torch.func.functional_call(scorer, others, (similarities,))
    scorer(similarities)
    assert seen == [False, True]


def test_scale_is_clamped_in_use(similarities):
    scorer = SigmoidScorer(init_scale=100.0, init_bias=0.0, max_scale=200.0)
    with torch.no_grad():
        scorer.log_scale.fill_(math.log(1e4))
    assert torch.allclose(scorer(similarities), similarities * 200, rtol=1e-5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: SigmoidScorer(init_scale='big'), "init_scale='big'"),
        (lambda: SigmoidScorer(init_scale=0.01), 'init_scale=0.01'),
        (lambda: SigmoidScorer(init_bias='none'), "init_bias='none'"),
        (lambda: SigmoidScorer(init_bias=math.nan), 'init_bias=nan'),
        (
            lambda: SigmoidScorer(init_bias='clip').start_from_clip(100.0, None),
            'trained with a softmax',
        ),
        (lambda: SigmoidScorer().start_from_clip(None, None), 'no logit_scale'),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ConfigError, match=message) as error:
        make()
    assert '\n' not in str(error.value)


def test_label_bias_is_linear_in_the_embedding(similarities):
    scorer = SigmoidScorer(init_scale=10.0, init_bias=-2.0, label_bias=True)
    scorer.start_from_clip(None, None, 4)
    text = torch.randn(11, 4, generator=torch.Generator().manual_seed(1))
    plain = similarities * 10 - 2
    torch.testing.assert_close(scorer(similarities, text), plain)  # starts at zero
    with torch.no_grad():
        scorer.label_bias.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    expected = plain + (text[:, 0] - 2 * text[:, 1] + 0.5 * text[:, 2])
    torch.testing.assert_close(scorer(similarities, text), expected)
    scorer(similarities, text).sum().backward()
    torch.testing.assert_close(scorer.label_bias.grad, 6 * text.sum(0))
    with pytest.raises(ValueError, match='embeddings of the labels'):
        scorer(similarities)
    with pytest.raises(ConfigError, match='label_bias=True'):
        SigmoidScorer(init_scale=10.0, label_bias=True).start_from_clip(None, None)
    assert not SigmoidScorer(learnable=False, label_bias=True).bias.requires_grad
