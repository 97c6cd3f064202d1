"""Average precision against scikit-learn and torchmetrics."""

import math
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score
from torchmetrics.functional.classification import multilabel_average_precision

from ovmlv.evaluation.functional import (
    average_precision,
    mean_average_precision,
    micro_average_precision,
    positive_ranks,
)


def reference(scores: np.ndarray, targets: np.ndarray) -> list[float]:
    """scikit-learn, class by class, on the known entries."""
    values = []
    for s, t in zip(scores.T, targets.T, strict=True):
        known = t >= 0
        has_positive = (t == 1).any()
        values.append(average_precision_score(t[known], s[known]) if has_positive else math.nan)
    return values


@st.composite
def problems(draw) -> tuple[np.ndarray, np.ndarray]:
    """Few distinct scores, so that ties are the rule; unknown labels; classes without positives."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    size = rows * columns
    scores = draw(
        st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 1.0]), min_size=size, max_size=size)
    )
    targets = draw(st.lists(st.sampled_from([1, 0, 0, -1]), min_size=size, max_size=size))
    return np.reshape(scores, (rows, columns)), np.reshape(targets, (rows, columns))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_equals_sklearn_with_ties_unknown_labels_and_empty_classes(problem):
    scores, targets = problem
    found = average_precision(torch.tensor(scores), torch.tensor(targets))
    np.testing.assert_allclose(found.numpy(), reference(scores, targets), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_videos(problem, random):
    scores, targets = problem
    order = list(range(len(scores)))
    random.shuffle(order)
    first = average_precision(torch.tensor(scores), torch.tensor(targets))
    second = average_precision(torch.tensor(scores[order]), torch.tensor(targets[order]))
    assert torch.equal(first.nan_to_num(-1), second.nan_to_num(-1))


def test_equals_torchmetrics_and_sklearn_averages():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(200, 17, generator=generator)
    targets = (torch.rand(200, 17, generator=generator) < 0.2).long()
    for average in ('macro', 'weighted', 'micro'):
        ours = mean_average_precision(scores, targets, average)
        metrics = multilabel_average_precision(scores, targets, 17, average=average)
        assert float(ours) == pytest.approx(float(metrics), abs=1e-6)
        sklearn = average_precision_score(targets.numpy(), scores.numpy(), average=average)
        assert float(ours) == pytest.approx(sklearn, abs=1e-12)


def test_minus_infinity_ranks_last_and_still_counts():
    scores = torch.tensor([[0.9], [-math.inf], [0.1], [-math.inf]])
    targets = torch.tensor([[1], [1], [0], [-1]])
    # One tie group of the two known ones at the end; the unknown one is left out.
    assert float(average_precision(scores, targets)) == pytest.approx((1 + 2 / 3) / 2)


def test_blocks_of_labels_give_the_same(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(30, 11, generator=generator)
    targets = torch.randint(-1, 2, (30, 11), generator=generator)
    whole = average_precision(scores, targets)
    module = sys.modules[positive_ranks.__module__]
    monkeypatch.setattr(module, '_BLOCK_LABELS', 3)
    assert torch.equal(average_precision(scores, targets), whole)


def test_min_positives_leaves_rare_labels_out():
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3]])
    targets = torch.tensor([[1, 1], [1, 0], [0, 0]])
    assert float(mean_average_precision(scores, targets)) == pytest.approx((1 + 1 / 3) / 2)
    assert float(mean_average_precision(scores, targets, min_positives=2)) == 1
    assert math.isnan(mean_average_precision(scores, targets, min_positives=3))


def test_nothing_known_and_no_rows_are_nan():
    assert math.isnan(micro_average_precision(torch.zeros(3, 2), torch.full((3, 2), -1)))
    assert average_precision(torch.zeros(0, 2), torch.zeros(0, 2)).isnan().all()


@pytest.mark.parametrize(
    ('scores', 'targets', 'words'),
    [
        ([[0.1, math.nan]], [[0, 1]], 'scores[0, 1] is nan'),
        ([[math.inf, 0.0]], [[0, 1]], 'scores[0, 0] is inf'),
        ([[0.1, 0.2]], [[0, 2]], 'targets[0, 1] is 2'),
        ([[0.1, 0.2]], [[0], [1]], 'must both be (videos, labels)'),
        ([0.1, 0.2], [0, 1], 'must both be (videos, labels)'),
    ],
)
def test_bad_input_is_named(scores, targets, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        average_precision(torch.tensor(scores), torch.tensor(targets))
    assert '\n' not in str(error.value)


def test_a_score_of_an_unknown_label_may_be_anything():
    scores = torch.tensor([[math.nan], [0.5], [math.inf]])
    assert float(average_precision(scores, torch.tensor([[-1], [1], [-1]]))) == 1
