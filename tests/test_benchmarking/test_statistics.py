import math

import numpy as np
import pytest
from scipy import stats

from ovmlv.benchmarking.statistics import compare_seeds, summarize


def by_seed(values):
    return dict(enumerate(values))


def test_summary_is_the_sample_standard_deviation():
    values = [0.3, 0.35, 0.5]
    found = summarize([*values, math.nan])
    assert found.mean == pytest.approx(np.mean(values)) and found.n == 3
    assert found.std == pytest.approx(np.std(values, ddof=1))
    assert math.isnan(summarize([0.3]).std) and summarize([]).n == 0


@pytest.mark.parametrize('n', [2, 3, 8])
def test_against_scipy(n):
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.4, 0.05, n), rng.normal(0.38, 0.05, n)
    found = compare_seeds(by_seed(a), by_seed(b))
    expected = stats.ttest_rel(a, b)
    assert (found.t, found.p_t) == pytest.approx((expected.statistic, expected.pvalue))
    exact = stats.permutation_test(
        (a - b,), np.mean, permutation_type='samples', n_resamples=np.inf, alternative='two-sided'
    )
    assert found.p_sign_flip == pytest.approx(exact.pvalue)
    assert found.n == n and found.difference == pytest.approx((a - b).mean())


def test_three_seeds_cannot_be_below_a_quarter():
    found = compare_seeds(by_seed([0.9, 0.91, 0.92]), by_seed([0.1, 0.1, 0.1]))
    assert found.p_sign_flip == 0.25 and found.p_t < 0.001


def test_many_pairs_are_drawn_at_random():
    found = compare_seeds(by_seed([0.1 + 0.01 * i for i in range(20)]), by_seed([0.0] * 20))
    assert 0 < found.p_sign_flip < 1e-3


def test_what_has_no_seeds_is_paired_with_all():
    found = compare_seeds({0: 0.5, 1: 0.6}, {None: 0.4})
    assert found.n == 2 and found.difference == pytest.approx(0.15)
    assert compare_seeds({None: 0.4}, {0: 0.5, 1: 0.6}).difference == pytest.approx(-0.15)


def test_only_common_seeds_are_paired():
    found = compare_seeds({0: 0.5, 1: 0.6}, {1: 0.4, 2: 0.9})
    assert found.n == 1 and math.isnan(found.p_t) and found.p_sign_flip == 1
    assert compare_seeds({0: 0.5}, {1: 0.5}) is None


def test_equal_rows():
    found = compare_seeds(by_seed([0.1, 0.2]), by_seed([0.1, 0.2]))
    assert (found.difference, found.p_t, found.p_sign_flip) == (0, 1, 1)
