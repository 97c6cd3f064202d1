"""Many rows, where scores are counted by buckets: scikit-learn on the same scores."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from ovmlv.evaluation.functional import area_under_pr_curve, average_precision, positive_ranks

random = np.random.default_rng(0)


def scores_of(kind: str, shape: tuple[int, int]) -> np.ndarray:
    noise = random.normal(size=shape)
    return {
        'probabilities': lambda: 1 / (1 + np.exp(-4 * noise + 6)),
        'logits': lambda: noise,
        'cosines': lambda: 0.2 + 0.02 * noise,
        'ties': lambda: random.integers(5, size=shape) / 4,
        'one value': lambda: np.full(shape, -3.0),
        'zeros of both signs': lambda: random.choice([0.0, -0.0, 1e-300, 1.0], size=shape),
        'no prediction': lambda: np.where(random.random(shape) < 0.5, -np.inf, noise),
        'nothing predicted': lambda: np.full(shape, -np.inf),
        'whole range of floats': lambda: random.choice([-1e38, -1e-38, 0, 1e-30, 3e38], size=shape),
    }[kind]()


KINDS = [
    'probabilities', 'logits', 'cosines', 'ties', 'one value', 'zeros of both signs',
    'no prediction', 'nothing predicted', 'whole range of floats',
]  # fmt: skip


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('share', [0.01, 0.4])
@pytest.mark.parametrize('kind', KINDS)
def test_equals_sklearn(kind, share, dtype):
    scores = scores_of(kind, (3000, 35)).astype(dtype)  # more labels than one block
    targets = (random.random(scores.shape) < share).astype(int)
    targets[random.random(scores.shape) < 0.2] = -1
    targets[:, 7] = 0
    targets[:, 8] = -1
    found = average_precision(torch.tensor(scores), torch.tensor(targets)).numpy()
    area = area_under_pr_curve(torch.tensor(scores), torch.tensor(targets)).numpy()
    ranked = np.where(np.isneginf(scores), np.finfo(np.float64).min, scores)  # it takes no infinity
    for i in range(scores.shape[1]):
        known = targets[:, i] >= 0
        if i in (7, 8):
            assert np.isnan(found[i]) and np.isnan(area[i])
            continue
        truth = targets[known, i], ranked[known, i]
        assert found[i] == pytest.approx(average_precision_score(*truth), abs=1e-12)
        precision, recall, _ = precision_recall_curve(*truth)
        assert area[i] == pytest.approx(auc(recall, precision), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_counts_are_those_of_a_plain_loop(data):
    size = data.draw(st.integers(1, 15))
    draw = st.lists(st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.25, 0.75]), min_size=size)
    scores = torch.tensor(data.draw(draw)[:size]).double()[:, None]
    targets = torch.tensor(data.draw(st.lists(st.integers(-1, 1), min_size=size, max_size=size)))
    ranks = positive_ranks(scores, targets[:, None])
    known, positive = scores[targets >= 0], scores[targets == 1]
    assert sorted(ranks.score.tolist()) == sorted(positive.flatten().tolist())
    for i, score in enumerate(ranks.score):
        assert ranks.retrieved[i] == (known >= score).sum()
        assert ranks.retrieved_above[i] == (known > score).sum()
        assert ranks.hits[i] == (positive >= score).sum()
        assert ranks.hits_above[i] == (positive > score).sum()
    assert ranks.num_positives.tolist() == [len(positive)]


def test_inputs_are_left_as_they_were():
    scores, targets = torch.rand(3000, 3) - 0.5, torch.randint(0, 2, (3000, 3))
    before = scores.clone()
    average_precision(scores, targets)
    assert torch.equal(scores, before)


def test_columns_of_a_larger_matrix():
    """Neither slices nor transposed matrices are in one piece."""
    scores, targets = torch.rand(6, 3000).T, torch.randint(0, 2, (6, 3000)).T
    found = average_precision(scores[:, ::2], targets[:, ::2])
    assert torch.equal(found, average_precision(scores, targets)[::2])


def test_half_precision_scores():
    scores, targets = torch.rand(50, 2).half(), torch.randint(0, 2, (50, 2))
    assert torch.equal(
        average_precision(scores, targets), average_precision(scores.double(), targets)
    )
