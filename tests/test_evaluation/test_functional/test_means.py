"""Harmonic mean against SciPy-like definitions of the standard library."""

import math
import statistics

import pytest

from ovmlv.evaluation.functional import harmonic_mean


@pytest.mark.parametrize('values', [(0.3, 0.6), (1.0, 1.0), (0.2, 0.5, 0.9), (0.0, 0.5)])
def test_equals_the_standard_library(values):
    assert harmonic_mean(*values) == pytest.approx(statistics.harmonic_mean(values))


def test_edges():
    assert math.isnan(harmonic_mean(0.5, math.nan))
    assert math.isnan(harmonic_mean())
    assert 0 < harmonic_mean(5e-324, 0.5) < 1e-300
    with pytest.raises(ValueError, match='negative'):
        harmonic_mean(-0.1, 0.5)
