"""Charades' official rule, written as the plain loop of its script."""

import numpy as np
import pytest
import torch

from ovmlv.evaluation.functional import average_precision, charades_average_precision


def official(scores: np.ndarray, targets: np.ndarray, unlabeled: np.ndarray) -> float:
    """Videos without actions keep -inf; then precision at each positive, down the ranking."""
    scores = scores.copy()
    scores[unlabeled] = -np.inf
    values = []
    for column in range(scores.shape[1]):
        hits, total, positives = 0, 0.0, int(targets[:, column].sum())
        for rank, row in enumerate(np.argsort(-scores[:, column], kind='stable'), 1):
            if targets[row, column] == 1:
                hits += 1
                total += hits / rank
        values.append(total / positives)
    return float(np.mean(values))


@pytest.fixture
def problem():
    random = np.random.default_rng(0)
    targets = (random.random((80, 12)) < 0.2).astype(int)
    targets[:9] = 0
    targets[9:21] = np.eye(12, dtype=int)  # every class has a positive
    return random.random((80, 12)), targets


def test_equals_the_loop(problem):
    scores, targets = problem
    unlabeled = targets.sum(1) == 0
    assert unlabeled.sum() >= 9
    found = charades_average_precision(torch.tensor(scores), torch.tensor(targets)).mean()
    assert float(found) == pytest.approx(official(scores, targets, unlabeled), abs=1e-12)
    # Counting them as ordinary negatives gives a lower value.
    assert float(average_precision(torch.tensor(scores), torch.tensor(targets)).mean()) < found


def test_rows_without_actions_can_be_given(problem):
    """With some of the classes as columns, a row without positives is not a row without actions."""
    scores, targets = problem
    unlabeled = np.arange(80) < 9
    found = charades_average_precision(
        torch.tensor(scores), torch.tensor(targets), torch.tensor(unlabeled)
    ).mean()
    assert float(found) == pytest.approx(official(scores, targets, unlabeled), abs=1e-12)
