"""Top-k accuracy against scikit-learn and torchmetrics; GAP against the starter code's loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score
from torchmetrics.functional.classification import multiclass_accuracy

from ovmlv.evaluation.functional import global_average_precision, top_k_mask, topk_accuracy


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(2)
    scores = torch.rand(200, 12, generator=generator)
    labels = torch.randint(0, 12, (200,), generator=generator)
    scores[torch.arange(200), labels] += 0.3
    return scores, labels


@pytest.mark.parametrize('k', [1, 5, 11])
def test_accuracy_equals_others(problem, k):
    scores, labels = problem
    found = float(topk_accuracy(scores, labels, k))
    assert found == pytest.approx(top_k_accuracy_score(labels, scores, k=k, labels=range(12)))
    others = multiclass_accuracy(scores, labels, 12, average='micro', top_k=k)
    assert found == pytest.approx(float(others))
    one_hot = torch.nn.functional.one_hot(labels, 12)
    assert float(topk_accuracy(scores, one_hot, k)) == found


def test_mean_class_accuracy_equals_sklearn(problem):
    scores, labels = problem
    expected = balanced_accuracy_score(labels, scores.argmax(1))
    assert float(topk_accuracy(scores, labels, average='class')) == pytest.approx(expected)


def test_multi_label_hit_and_edges():
    scores = torch.tensor([[0.9, 0.5, 0.1], [0.5, 0.5, 0.5], [0.1, 0.2, 0.3]])
    targets = torch.tensor([[0, 1, 1], [0, 1, 0], [0, 0, 0]])
    assert float(topk_accuracy(scores, targets, 1)) == 0  # ties go to the first label
    assert float(topk_accuracy(scores, targets, 2)) == 1  # the third video does not count
    assert math.isnan(topk_accuracy(scores, torch.zeros(3, 3), 1))
    assert float(topk_accuracy(scores, torch.tensor([2, 2, 2]), 99)) == 1
    assert float(topk_accuracy(torch.full((1, 2), -math.inf), torch.tensor([0]), 1)) == 0


@pytest.mark.parametrize('labels', [[3], [-1], [0.5]])
def test_bad_class_numbers_are_named(labels):
    with pytest.raises(ValueError, match=r'in \[0, 3\)'):
        topk_accuracy(torch.rand(1, 3), torch.tensor(labels))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mask_is_a_stable_sort(data):
    values = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=8))
    k = data.draw(st.integers(1, 9))
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    expected = [i in order for i in range(len(values))]
    assert top_k_mask(torch.tensor([values]), k)[0].tolist() == expected


def starter_code(scores: np.ndarray, targets: np.ndarray, k: int) -> float:
    """``calculate_gap``: the k best of each video, pooled; ``ap_at_n`` over them with the number of
    all positives. No equal scores here, which it would shuffle."""
    pool = []
    for row, truth in zip(scores, targets, strict=True):
        pool += [(row[i], truth[i]) for i in np.argsort(row)[-k:]]
    pool.sort(key=lambda pair: -pair[0])
    hits, value, step = 0, 0.0, 1.0 / targets.sum()
    for rank, (_, truth) in enumerate(pool, 1):
        if truth > 0:
            hits += 1
            value += hits / rank * step
    return value


@pytest.mark.parametrize('k', [1, 3, 20, 40])
def test_gap_equals_the_starter_code(k):
    random = np.random.default_rng(k)
    targets = (random.random((90, 30)) < 0.1).astype(int)
    scores = random.random((90, 30)) + 0.4 * targets
    found = global_average_precision(torch.tensor(scores), torch.tensor(targets), k)
    assert float(found) == pytest.approx(starter_code(scores, targets, k), abs=1e-12)


def test_gap_edges():
    scores = torch.tensor([[0.9, 0.8, 0.1], [0.5, 0.5, 0.2]])
    # Unknown labels are left out before ranking: the best known ones are 0.8 (hit) and 0.5.
    targets = torch.tensor([[-1, 1, 0], [0, 1, 0]])
    assert float(global_average_precision(scores, targets, 1)) == pytest.approx(1 / 2)
    # All of the pool: 0.8 is a hit, the tie of 0.5 is retrieved together.
    assert float(global_average_precision(scores, targets, 3)) == pytest.approx((1 + 2 / 3) / 2)
    assert math.isnan(global_average_precision(scores, torch.zeros(2, 3)))
    assert math.isnan(global_average_precision(scores, torch.full((2, 3), -1)))
    with pytest.raises(ValueError, match='k is 0'):
        global_average_precision(scores, targets, 0)
