"""F1 against scikit-learn and the definition of the peers."""

import math

import pytest
import torch
from sklearn.metrics import f1_score

from ovmlv.evaluation.functional import f1_at_k, f1_at_threshold


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(60, 9, generator=generator)
    return scores, (torch.rand(60, 9, generator=generator) < 0.3).long()


@pytest.mark.parametrize('average', ['micro', 'macro'])
@pytest.mark.parametrize('threshold', [0.3, 0.5, 0.9])
def test_threshold_equals_sklearn(problem, threshold, average):
    scores, targets = problem
    expected = f1_score(targets, scores >= threshold, average=average, zero_division=0)
    assert float(f1_at_threshold(scores, targets, threshold, average)) == pytest.approx(expected)


@pytest.mark.parametrize('k', [1, 3, 9])
def test_k_equals_a_plain_loop(problem, k):
    """MKT, DualCoOp: precision and recall of the k best labels, pooled over videos."""
    scores, targets = problem
    hits = sum(
        int(targets[row, label]) for row in range(60) for label in scores[row].topk(k).indices
    )
    precision, recall = hits / (60 * k), hits / int(targets.sum())
    expected = 2 * precision * recall / (precision + recall)
    assert float(f1_at_k(scores, targets, k)) == pytest.approx(expected)


@pytest.mark.parametrize('k', [3, 20])
def test_k_macro_equals_sklearn(problem, k):
    scores, targets = problem
    ranks = scores.argsort(1, descending=True).argsort(1)
    expected = f1_score(targets, ranks < k, average='macro', zero_division=0)
    assert float(f1_at_k(scores, targets, k, 'macro')) == pytest.approx(expected)


def test_unknown_labels_are_left_out_before_ranking():
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.1]])
    targets = torch.tensor([[-1, 1, 0, 1]])
    # The two best known ones are labels 1 (a hit) and 2: P = 1/2, R = 1/2.
    assert float(f1_at_k(scores, targets, 2)) == 0.5
    assert float(f1_at_threshold(scores, targets, 0.5)) == 0.5


def test_equal_scores_at_the_cut_go_to_the_first_label():
    scores = torch.full((1, 4), 0.5)
    assert float(f1_at_k(scores, torch.tensor([[1, 0, 0, 0]]), 1)) == 1
    assert float(f1_at_k(scores, torch.tensor([[0, 0, 0, 1]]), 1)) == 0


def test_minus_infinity_predicts_nothing():
    scores = torch.full((1, 4), -math.inf)
    targets = torch.tensor([[1, 0, 0, 0]])
    both = torch.cat([scores, torch.tensor([[0.9, 0.1, 0.1, 0.1]])]), targets.repeat(2, 1)
    assert float(f1_at_k(*both, 1)) == pytest.approx(2 / 3)  # P = 1/1, R = 1/2


def test_without_positives_nan_and_k_below_one_refused():
    assert math.isnan(f1_at_threshold(torch.rand(3, 2), torch.zeros(3, 2)))
    with pytest.raises(ValueError, match='k is 0'):
        f1_at_k(torch.rand(3, 2), torch.zeros(3, 2), 0)
