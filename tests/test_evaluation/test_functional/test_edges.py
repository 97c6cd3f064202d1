"""Every metric against a plain loop where things are odd: ties, classes without positives, rows of
which nothing is known, one video, one class; and scores that are no numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from ovmlv.evaluation import functional as F


@st.composite
def problems(draw) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    scores = draw(st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=28, max_size=28))
    targets = draw(st.lists(st.sampled_from([1, 0, 0, -1]), min_size=28, max_size=28))
    scores, targets = (np.reshape(v[: rows * columns], (rows, columns)) for v in (scores, targets))
    targets[sorted(draw(st.sets(st.integers(0, rows - 1), max_size=2)))] = -1
    return scores, targets


def pairs(scores, targets) -> list[tuple[float, int]]:
    """Score and target of what is known."""
    flat = zip(scores.ravel().tolist(), targets.ravel().tolist(), strict=True)
    return [(s, t) for s, t in flat if t >= 0]


def precision_at(known, score) -> float:
    retrieved = [t for s, t in known if s >= score]
    return sum(retrieved) / len(retrieved)


def ap(known, total=None) -> float:
    positives = [s for s, t in known if t == 1]
    total = len(positives) if total is None else total
    return sum(precision_at(known, s) for s in positives) / total if total else math.nan


def best(row, target, k) -> list[int]:
    """The k best known labels; equal scores go to the one that comes first."""
    known = [c for c in range(len(row)) if target[c] >= 0]
    return sorted(known, key=lambda c: (-row[c], c))[:k]


def f1(hits, predicted, positives) -> float:
    return 2 * hits / (predicted + positives) if positives else math.nan


def macro(scores, targets) -> float:
    values = [ap(pairs(scores[:, c], targets[:, c])) for c in range(scores.shape[1])]
    values = [v for v in values if not math.isnan(v)]
    return sum(values) / len(values) if values else math.nan


def at_k(scores, targets, k=2) -> float:
    chosen = [(r, c) for r in range(len(scores)) for c in best(scores[r], targets[r], k)]
    hits = sum(targets[r, c] == 1 for r, c in chosen)
    return f1(hits, len(chosen), (targets == 1).sum())


def at_threshold(scores, targets) -> float:
    chosen = [t for s, t in pairs(scores, targets) if s >= 0.5]
    return f1(sum(chosen), len(chosen), (targets == 1).sum())


def gap(scores, targets, k=2) -> float:
    pooled = [
        (scores[r, c], targets[r, c])
        for r in range(len(scores))
        for c in best(scores[r], targets[r], k)
    ]
    return ap(pooled, total=int((targets == 1).sum()))


def hit(scores, targets, k=1) -> float:
    rows = [r for r in range(len(scores)) if (targets[r] == 1).any()]
    hits = [any(targets[r, c] == 1 for c in best(scores[r], targets[r], k)) for r in rows]
    return sum(hits) / len(rows) if rows else math.nan


def peak(scores, targets) -> float:
    known = pairs(scores, targets)
    positives = sum(t for _, t in known)
    chosen = [[t for s, t in known if s >= threshold] for threshold, _ in known]
    return max((f1(sum(c), len(c), positives) for c in chosen), default=math.nan)


def brier(scores, targets) -> float:
    known = pairs(scores, targets)
    return sum((s - t) ** 2 for s, t in known) / len(known) if known else math.nan


def ece(scores, targets, bins=4) -> float:
    known = pairs(scores, targets)
    gaps = [sum(s - t for s, t in known if min(int(s * bins), bins - 1) == b) for b in range(bins)]
    return sum(map(abs, gaps)) / len(known) if known else math.nan


def charades(scores, targets) -> float:
    unlabeled = (targets != 1).all(1)
    return macro(np.where(unlabeled[:, None], -np.inf, scores), targets)


METRICS = dict(
    macro=(F.mean_average_precision, macro),
    micro=(F.micro_average_precision, lambda s, t: ap(pairs(s, t))),
    charades=(lambda s, t: F.charades_average_precision(s, t).nanmean(), charades),
    per_frame=(lambda s, t: F.per_frame_average_precision([s], [t]).nanmean(), macro),
    f1_at_k=(lambda s, t: F.f1_at_k(s, t, 2), at_k),
    f1_at_threshold=(F.f1_at_threshold, at_threshold),
    peak_f1=(lambda s, t: F.peak_f1(s, t)[0], peak),
    gap=(lambda s, t: F.global_average_precision(s, t, 2), gap),
    top_k=(F.topk_accuracy, hit),
    brier=(F.brier_score, brier),
    ece=(lambda s, t: F.expected_calibration_error(s, t, 4), ece),
)


@pytest.mark.parametrize('name', METRICS)
def test_equals_a_plain_loop(name):
    metric, loop = METRICS[name]

    @settings(max_examples=40, deadline=None)
    @given(problems())
    def check(problem):
        scores, targets = problem
        found = float(metric(torch.tensor(scores), torch.tensor(targets)))
        assert found == pytest.approx(loop(scores, targets), abs=1e-12, nan_ok=True)

    check()


@pytest.mark.parametrize('name', METRICS)
@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_scores_that_are_no_numbers(name, value):
    scores, targets = torch.full((3, 2), 0.5), torch.tensor([[1, 0], [0, 1], [-1, 0]])
    scores[1, 0] = value
    with pytest.raises(ValueError, match=r'scores\[1, 0\] is (nan|inf); 1 of 6 scores'):
        METRICS[name][0](scores, targets)


@pytest.mark.parametrize('name', METRICS)
def test_nothing_known(name):
    assert math.isnan(METRICS[name][0](torch.rand(3, 2), torch.full((3, 2), -1)))
