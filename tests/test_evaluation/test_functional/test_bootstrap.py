"""Resampling against the metric on the drawn videos themselves; SciPy for the tests."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings, strategies as st

from ovmlv.evaluation import functional as F


def make(seed, rows=40, columns=6):
    random = np.random.default_rng(seed)
    targets = torch.tensor(random.choice([1, 0, 0, -1], size=(rows, columns)))
    return torch.tensor(random.random((rows, columns)).round(1)), targets


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_weights_stand_for_repeated_videos(seed, rows):
    """The values are those of matrices with the drawn rows; ties and empty labels included."""
    scores, targets = make(seed, rows)
    scores[0, 0] = -math.inf
    counts = F.resample_counts(rows, 5, seed)
    found = F.bootstrap_average_precision(scores, targets, counts)
    for row, weights in zip(found, counts, strict=True):
        drawn = np.repeat(np.arange(rows), weights)
        expected = F.average_precision(scores[drawn], targets[drawn])
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_steps_give_the_same(monkeypatch):
    import sys

    scores, targets = make(0)
    counts = F.resample_counts(40, 30)
    whole = F.bootstrap_average_precision(scores, targets, counts)
    module = sys.modules[F.bootstrap_average_precision.__module__]
    monkeypatch.setattr(module, '_STEP_WEIGHTS', 40 * 7)
    assert torch.equal(F.bootstrap_average_precision(scores, targets, counts).nan_to_num(-1),
                       whole.nan_to_num(-1))  # fmt: skip


def test_any_metric():
    scores, targets = make(1)
    counts = F.resample_counts(40, 6, seed=3)
    found = F.bootstrap(F.mean_average_precision, scores, targets, counts)
    expected = F.bootstrap_average_precision(scores, targets, counts).nanmean(1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_draws_are_seeded_and_complete():
    first, again, other = (F.resample_counts(50, 20, seed) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert (first.sum(1) == 50).all()
    with pytest.raises(ValueError, match='0 videos'):
        F.resample_counts(0)
    with pytest.raises(ValueError, match='not of 4 videos'):
        F.bootstrap_average_precision(torch.rand(4, 2), torch.ones(4, 2), first)


def test_interval_equals_scipy():
    """Of a mean, with SciPy's own resamples taken as ours."""
    data = np.random.default_rng(0).random(300)
    theirs = scipy.stats.bootstrap(
        (data,), np.mean, method='percentile', n_resamples=4000, rng=np.random.default_rng(5)
    )
    found = F.percentile_interval(torch.from_numpy(theirs.bootstrap_distribution))
    assert found == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)
    ours = torch.from_numpy(F.resample_counts(300, 4000).astype(float) @ data / 300)
    assert F.percentile_interval(ours) == pytest.approx(found, abs=0.004)
    assert all(map(math.isnan, F.percentile_interval(torch.full((3,), math.nan))))
    with pytest.raises(ValueError, match='between 0 and 1'):
        F.percentile_interval(ours, 95)


@pytest.mark.parametrize('size', [3, 6, 10])
def test_permutations_equal_scipy(size):
    random = np.random.default_rng(size)
    first, second = random.random(size).round(2), random.random(size).round(2) + 0.2
    found = F.paired_permutation_test(torch.tensor(first), torch.tensor(second))
    theirs = scipy.stats.permutation_test(
        (second - first,), np.mean, permutation_type='samples', alternative='two-sided',
        n_resamples=np.inf,
    )  # fmt: skip
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.difference == pytest.approx((second - first).mean())


def test_many_pairs_are_sampled():
    random = np.random.default_rng(1)
    first = random.normal(size=60)
    second = first + random.normal(0.25, 1, size=60)
    found = F.paired_permutation_test(torch.tensor(first), torch.tensor(second))
    expected = scipy.stats.ttest_rel(second, first).pvalue
    assert found.p_value == pytest.approx(expected, abs=0.01)
    assert F.paired_permutation_test(torch.tensor(first), torch.tensor(first)).p_value == 1


def test_pairs_are_checked():
    with pytest.raises(ValueError, match='do not match'):
        F.paired_permutation_test(torch.rand(3), torch.rand(4))
    with pytest.raises(ValueError, match='no pair of values'):
        F.paired_permutation_test(torch.tensor([math.nan]), torch.tensor([1.0]))
    gap = F.paired_permutation_test(torch.tensor([0.1, math.nan]), torch.tensor([0.2, 1.0]))
    assert gap.difference == pytest.approx(0.1) and gap.p_value == 1


def test_paired_bootstrap_tells_better_from_equal():
    random = np.random.default_rng(0)
    targets = torch.tensor((random.random((300, 8)) < 0.2).astype(int))
    good = torch.tensor(random.random((300, 8))) + 0.5 * targets
    bad = good + 0.4 * torch.tensor(random.random((300, 8)))
    counts = F.resample_counts(300, 200)
    values = [F.bootstrap_average_precision(s, targets, counts).nanmean(1) for s in (bad, good)]
    gap = float(F.mean_average_precision(good, targets) - F.mean_average_precision(bad, targets))
    found = F.paired_bootstrap(*values, gap)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value == pytest.approx(2 / 201)
    same = F.paired_bootstrap(values[0], values[0], 0.0)
    assert same.p_value == 1 and same.low == same.high == 0
    with pytest.raises(ValueError, match='same counts'):
        F.paired_bootstrap(values[0], values[1][:5], gap)
