"""Paired tests against enumeration in exact fractions, whatever the type of the figures."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

from ovmlv.benchmarking.statistics import compare_seeds
from ovmlv.errors import DataError
from ovmlv.evaluation import functional as F

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
#: Figures that fall on ties, as decimals.
TIED = [
    (['.52', '.89', '.32'], ['.50', '.91', '.34']),
    (['.52', '.89', '.32'], ['.54', '.87', '.30']),
    (['.1', '.2', '.7', '.3'], ['.3', '.1', '.8', '.3']),
    (['51.2', '48.7', '93.1', '7.4'], ['51.5', '48.4', '92.8', '7.7']),
    (['1000.1', '1000.2', '1000.3'], ['1000.2', '1000.3', '1000.2']),
    (['0', '0', '0', '0', '0'], ['.1', '.2', '-.3', '.3', '-.1']),
]


def exact(first, second):
    """The p-value of decimals: all signs, in fractions."""
    gaps = [Fraction(b) - Fraction(a) for a, b in zip(first, second, strict=True)]
    sums = [
        abs(sum(s * g for s, g in zip(signs, gaps, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(gaps))
    ]
    return sum(s >= abs(sum(gaps)) for s in sums) / len(sums)


def figures(values, dtype=torch.float64):
    return torch.tensor([float(v) for v in values], dtype=dtype)


@pytest.mark.parametrize('dtype', FLOATS[2:], ids=str)
@pytest.mark.parametrize('pair', TIED, ids=lambda pair: ' '.join(pair[0]))
def test_ties(pair, dtype):
    first, second = (figures(values, dtype) for values in pair)
    assert F.paired_permutation_test(first, second).p_value == exact(*pair)
    assert F.paired_permutation_test(second, first).p_value == exact(*pair)


@pytest.mark.parametrize('dtypes', itertools.product(FLOATS, FLOATS), ids=str)
def test_types_may_differ(dtypes):
    """Half-precision figures in the unit interval have some three digits."""
    one, other = ['.5', '.9', '.3'], ['.4', '1.0', '.4']
    first, second = (figures(v, d) for v, d in zip((one, other), dtypes, strict=True))
    assert F.paired_permutation_test(first, second).p_value == exact(one, other) == 1


@pytest.mark.parametrize('dtype', FLOATS[2:], ids=str)
@pytest.mark.parametrize('seed', range(25))
def test_any_decimals(seed, dtype):
    """Of two to four digits: what differs is told apart, what is equal is not."""
    random = np.random.default_rng(seed)
    digits, size = 2 + seed % 3, int(random.integers(1, 10))
    first = random.integers(0, 10**digits, size)
    second = np.clip(first + random.integers(-4, 6, size), 0, 10**digits)
    pair = [[f'{v}e-{digits}' for v in values] for values in (first, second)]
    found = F.paired_permutation_test(*(figures(values, dtype) for values in pair))
    assert found.p_value == exact(*pair)


def test_small_differences_are_no_ties():
    """The noise is that of the figures' own type: a millionth is no noise in float64."""
    first, second = ['.5', '.5', '.5'], ['.500003', '.500001', '.500001']
    assert F.paired_permutation_test(figures(first), figures(second)).p_value == 0.25
    second = ['.50003', '.50001', '.50001']
    pair = figures(first, torch.float32), figures(second, torch.float32)
    assert F.paired_permutation_test(*pair).p_value == 0.25


def test_figures_that_were_computed():
    """Sums in another order differ in their last bits, which is no difference."""
    first = torch.tensor([0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1, 0.7])
    second = torch.tensor([0.5, 0.7, 0.8])
    assert F.paired_permutation_test(first.double(), second.double()).p_value == 1


@pytest.mark.parametrize('dtype', [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_whole_numbers_are_exact(dtype):
    first, second = torch.tensor([1, 0, 0]).to(dtype), torch.tensor([0, 1, 1]).to(dtype)
    found = F.paired_permutation_test(first, second)
    assert found.p_value == 1 and found.difference == pytest.approx(1 / 3)


@pytest.mark.parametrize('dtype', FLOATS[2:], ids=str)
def test_ties_among_many_pairs(dtype):
    """Above 16 pairs signs are drawn; with all gaps alike but their signs, sums tie often."""
    random = np.random.default_rng(3)
    first = (random.integers(10, 80, 21) / 100).round(2)
    second = (first + np.where(np.arange(21) < 14, 0.02, -0.02)).round(2)
    pair = [torch.tensor(v, dtype=dtype) for v in (first, second)]
    found = F.paired_permutation_test(*pair, num_permutations=20_000).p_value
    whole = torch.zeros(21, dtype=torch.int64), torch.tensor([1] * 14 + [-1] * 7)
    assert found == F.paired_permutation_test(*whole, num_permutations=20_000).p_value


def test_seeds_of_a_benchmark():
    """Their figures carry the noise of the figures, not that of the smaller differences."""
    for pair in TIED:
        values, reference = (dict(enumerate(map(float, v))) for v in pair)
        assert compare_seeds(values, reference).p_sign_flip == exact(*pair)


@pytest.mark.parametrize('bad', [float('inf'), float('-inf')])
def test_infinite_figures_are_refused(bad):
    """Every sum is infinite then, whatever its signs."""
    with pytest.raises(DataError, match=r'pair 1 .*infinite'):
        F.paired_permutation_test(torch.tensor([0.1, bad]), torch.tensor([0.2, 0.3]))


def test_equal_resamples_count_to_both_sides():
    """Noise of the last bit is no better model."""
    values = torch.linspace(0.2, 0.8, 200, dtype=torch.float64)
    after = torch.nextafter(values, torch.ones_like(values))
    assert F.paired_bootstrap(values, after, 0.0).p_value == 1
    single = values.float()
    assert F.paired_bootstrap(values, single, 0.0).p_value == 1
    assert F.paired_bootstrap(values, single + 0.001, 0.001).p_value == pytest.approx(2 / 201)
