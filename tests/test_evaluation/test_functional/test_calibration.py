"""Calibration against torchmetrics and scikit-learn."""

import math
from fractions import Fraction

import pytest
import torch
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import binary_calibration_error

from ovmlv.evaluation.functional import brier_score, expected_calibration_error
from ovmlv.evaluation.functional.calibration import bins_of_equal_width


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(5)
    scores = torch.rand(300, 7, generator=generator, dtype=torch.float64)
    targets = (torch.rand(300, 7, generator=generator) < scores**2).long()
    targets[torch.rand(300, 7, generator=generator) < 0.2] = -1
    return scores, targets


@pytest.mark.parametrize('num_bins', [1, 10, 15])
def test_ece_equals_torchmetrics_on_the_known_pairs(problem, num_bins):
    scores, targets = problem
    known = targets >= 0
    expected = binary_calibration_error(scores[known], targets[known], n_bins=num_bins, norm='l1')
    found = expected_calibration_error(scores, targets, num_bins)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_brier_equals_sklearn(problem):
    scores, targets = problem
    known = targets >= 0
    expected = brier_score_loss(targets[known], scores[known])
    assert float(brier_score(scores, targets)) == pytest.approx(expected, abs=1e-12)


def test_adaptive_bins_hold_equal_numbers():
    scores = torch.tensor([[0.01, 0.02, 0.03, 0.90]])
    targets = torch.tensor([[0, 0, 1, 1]])
    # Bins {.01, .02} and {.03, .90}: |.015 - 0| / 2 + |.465 - 1| / 2.
    found = expected_calibration_error(scores, targets, 2, adaptive=True)
    assert float(found) == pytest.approx((0.015 + 0.535) / 2)


def test_adaptive_bins_equal_a_plain_loop(problem):
    """Without ties: the sorted pairs cut into 15 parts of equal size."""
    scores, targets = problem
    known = targets >= 0
    pairs = sorted(zip(scores[known].tolist(), targets[known].tolist(), strict=True))
    pairs = pairs[: len(pairs) // 15 * 15]
    keep = scores[known].argsort()[: len(pairs)]
    size, expected = len(pairs) // 15, 0.0
    for start in range(0, len(pairs), size):
        part = pairs[start : start + size]
        expected += abs(sum(p for p, _ in part) - sum(t for _, t in part)) / len(pairs)
    found = expected_calibration_error(
        scores[known][keep][:, None], targets[known][keep][:, None], adaptive=True
    )
    assert float(found) == pytest.approx(expected, abs=1e-12)


def test_adaptive_bins_do_not_cut_ties():
    """Calibrated constant scores have no error, however the bins fall."""
    scores = torch.full((10, 1), 0.5)
    targets = torch.tensor([[1], [0]] * 5)
    assert float(expected_calibration_error(scores, targets, 4, adaptive=True)) == 0


def test_the_ends_of_the_interval_have_bins():
    scores, targets = torch.tensor([[0.0, 1.0]]), torch.tensor([[0, 1]])
    assert float(expected_calibration_error(scores, targets)) == 0


def test_no_prediction_is_left_out_and_nothing_known_is_nan():
    scores = torch.tensor([[-math.inf, 0.25]])
    assert float(expected_calibration_error(scores, torch.tensor([[1, 0]]))) == 0.25
    assert math.isnan(expected_calibration_error(scores, torch.tensor([[-1, -1]])))


def test_logits_are_refused():
    with pytest.raises(ValueError, match='apply the sigmoid first'):
        expected_calibration_error(torch.tensor([[3.0]]), torch.tensor([[1]]))


def test_edges_of_bins():
    """FAULTS D17: as documented, a bin holds its lower edge, and the last one also 1."""

    def error(*scores):  # of which the first is right and the other ones are wrong
        targets = torch.tensor([[1], *[[0]] * (len(scores) - 1)])
        return float(expected_calibration_error(torch.tensor(scores)[:, None], targets, 4))

    assert error(0.125, 0.25) == pytest.approx((0.875 + 0.25) / 2)  # two bins
    assert error(0.25, 0.375) == pytest.approx(abs(0.625 - 1) / 2)  # one
    assert error(1.0, 0.75) == pytest.approx(abs(1.75 - 1) / 2)  # one, the last


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('num_bins', [1, 3, 7, 10, 15, 49, 100, 1000])
def test_scores_on_edges(num_bins, dtype):
    """A bin begins at the float64 number b / K itself, and just below it ends the one before."""
    edges = torch.tensor([b / num_bins for b in range(num_bins + 1)], dtype=torch.float64)
    near = [edges, *(torch.nextafter(edges, torch.full_like(edges, end)) for end in (0.0, 1.0))]
    scores = torch.cat(near).to(dtype)
    expected = [
        max(b for b in range(num_bins) if score >= b / num_bins) for score in scores.tolist()
    ]
    assert bins_of_equal_width(scores, num_bins).tolist() == expected
    targets = (torch.arange(len(scores)) % 2)[:, None]
    gaps = [Fraction(0)] * num_bins
    for b, score, (target,) in zip(expected, scores.tolist(), targets.tolist(), strict=True):
        gaps[b] += Fraction(score) - target
    found = expected_calibration_error(scores[:, None], targets, num_bins)
    assert float(found) == pytest.approx(float(sum(map(abs, gaps)) / len(scores)), abs=1e-12)


def test_the_edge_belongs_to_the_bin_above_it():
    """Both pairs are in the bin from .3: |.65 - 1| / 2."""
    scores = torch.tensor([[0.3], [0.35]], dtype=torch.float64)
    found = expected_calibration_error(scores, torch.tensor([[1], [0]]), 10)
    assert float(found) == pytest.approx(0.175, abs=1e-12)
