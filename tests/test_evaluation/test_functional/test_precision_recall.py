"""Precision and recall at k and at thresholds, by the code of MKT and DualCoOp as plain loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import f1_score, precision_recall_curve, precision_score, recall_score

from ovmlv.evaluation.functional import (
    DEFINITIONS,
    peak_f1,
    precision_recall_at_k,
    precision_recall_at_threshold,
)


def make(seed=0, unknown=False, rows=50, columns=9):
    random = np.random.default_rng(seed)
    targets = (random.random((rows, columns)) < 0.25).astype(int)
    if unknown:
        targets[random.random((rows, columns)) < 0.3] = -1
    targets[:, 4] = 0  # a class without positives
    return random.random((rows, columns)), targets


def numbers(found):
    return [float(v) for v in found]


def mkt(scores, targets, k):
    """``compute_F1``: the k best of every row are predictions, whatever is known of them."""
    hits = predictions = 0
    for row, truth in zip(scores, targets, strict=True):
        for i in np.argsort(-row, kind='stable')[:k]:
            predictions += 1
            hits += truth[i] == 1
    precision, recall = hits / predictions, hits / (targets == 1).sum()
    return precision, recall, 2 * precision * recall / (precision + recall)


def dualcoop(scores, targets, k):
    """``calc_F1``: TP and FP of each class, then their sums."""
    tp, fp, total = (np.zeros(scores.shape[1]) for _ in range(3))
    for row, truth in zip(scores, targets, strict=True):
        best = np.argsort(-row, kind='stable')[:k]
        for i in np.flatnonzero(truth):
            tp[i] += i in best
            total[i] += 1
        for i in best:
            fp[i] += truth[i] == 0
    precision, recall = tp.sum() / (tp.sum() + fp.sum()), tp.sum() / total.sum()
    return precision, recall, 2 * precision * recall / (precision + recall)


def dualcoop_class(scores, targets, threshold):
    """``validate``: a class without a true positive has P = R = F1 = 0; the mean is over all."""
    p, r, f = [], [], []
    for score, truth in zip(scores.T, targets.T, strict=True):
        predicted = score > threshold
        tp = (predicted & (truth == 1)).sum()
        p.append(tp / predicted.sum() if tp else 0.0)
        r.append(tp / (truth == 1).sum() if tp else 0.0)
        f.append(2 * p[-1] * r[-1] / (p[-1] + r[-1]) if tp else 0.0)
    return np.mean(p), np.mean(r), np.mean(f)


@pytest.mark.parametrize('k', [1, 3, 5, 9])
def test_mkt(k):
    scores, targets = make(unknown=True)
    found = precision_recall_at_k(
        torch.tensor(scores), torch.tensor(targets), k, **DEFINITIONS['mkt']
    )
    assert numbers(found) == pytest.approx(mkt(scores, targets, k))


@pytest.mark.parametrize('k', [1, 3, 5, 9])
def test_dualcoop(k):
    scores, targets = make()
    pair = torch.tensor(scores), torch.tensor(targets)
    found = precision_recall_at_k(*pair, k, **DEFINITIONS['dualcoop'])
    assert numbers(found) == pytest.approx(dualcoop(scores, targets, k))
    assert found == precision_recall_at_k(*pair, k, **DEFINITIONS['mkt'])  # nothing is unknown


@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.99])
def test_by_class(threshold):
    scores, targets = make(rows=30)
    pair = torch.tensor(scores), torch.tensor(targets)
    found = numbers(precision_recall_at_threshold(*pair, threshold, 'class'))
    assert found == pytest.approx(dualcoop_class(scores, targets, threshold))
    truth = targets, scores >= threshold
    for value, function in zip(found, (precision_score, recall_score, f1_score), strict=True):
        assert value == pytest.approx(function(*truth, average='macro', zero_division=0))
    p, r, f1 = numbers(precision_recall_at_threshold(*pair, threshold, 'class_of_means'))
    assert [p, r] == found[:2]
    assert f1 == pytest.approx(2 * p * r / (p + r) if p else 0.0)


def test_overall_equals_sklearn():
    scores, targets = make()
    found = precision_recall_at_threshold(torch.tensor(scores), torch.tensor(targets), 0.6)
    truth = targets, scores >= 0.6
    for value, function in zip(found, (precision_score, recall_score, f1_score), strict=True):
        assert float(value) == pytest.approx(function(*truth, average='micro'))


def test_unknown_labels_are_left_out_or_count_as_wrong():
    scores, targets = torch.tensor([[0.9, 0.8, 0.1]]), torch.tensor([[-1, 1, 0]])
    assert numbers(precision_recall_at_k(scores, targets, 1)) == [1, 1, 1]
    assert numbers(precision_recall_at_k(scores, targets, 1, unknown='negative')) == [0, 0, 0]


def test_nothing_to_find_is_nan_and_bad_options_are_named():
    scores, none = torch.rand(3, 2), torch.tensor([[0, -1]] * 3)
    for average in ('overall', 'class', 'class_of_means', 'macro'):
        assert all(map(math.isnan, precision_recall_at_k(scores, none, 1, average)))
    assert all(map(math.isnan, peak_f1(scores, none)))
    assert all(v.isnan().all() for v in peak_f1(scores, none, 'class'))
    with pytest.raises(ValueError, match="average 'mean'"):
        precision_recall_at_k(scores, none, 1, 'mean')
    with pytest.raises(ValueError, match="unknown 'skip'"):
        precision_recall_at_k(scores, none, 1, unknown='skip')
    with pytest.raises(ValueError, match="average 'macro'"):
        peak_f1(scores, none, 'macro')


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_peak_is_the_best_of_all_thresholds(seed, rows):
    scores, targets = make(seed, unknown=True, rows=rows)
    scores = scores.round(1)
    best, threshold = peak_f1(torch.tensor(scores), torch.tensor(targets))
    of_class = peak_f1(torch.tensor(scores), torch.tensor(targets), 'class')
    columns = [(s, t) for s, t in zip(scores.T, targets.T, strict=True)]
    problems = [(scores.ravel(), targets.ravel(), best, threshold)]
    problems += [(*c, *v) for c, v in zip(columns, zip(*of_class, strict=True), strict=True)]
    for score, truth, value, cut in problems:
        known = truth >= 0
        score, truth = score[known], truth[known]
        if not truth.any():
            assert value.isnan() and cut.isnan()
            continue
        precision, recall, _ = precision_recall_curve(truth, score)
        with np.errstate(invalid='ignore'):
            expected = np.nanmax(2 * precision * recall / (precision + recall))
        assert float(value) == pytest.approx(expected)
        assert f1_score(truth, score >= float(cut)) == pytest.approx(expected)
