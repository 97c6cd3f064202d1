"""Per-frame mAP against the official scripts, written as their plain loops."""

import numpy as np
import pytest
import torch

from ovmlv.datasets.segments import Segment, Timeline, even_times, label_matrix
from ovmlv.evaluation.functional import per_frame_average_precision


def ap_meter(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``APMeter`` of super-events: precision at each positive, 0 for a class without any."""
    values = []
    for score, truth in zip(scores.T, targets.T, strict=True):
        truth = truth[np.argsort(-score, kind='stable')]
        precision = truth.cumsum() / np.arange(1, len(truth) + 1)
        values.append(precision[truth == 1].sum() / max(truth.sum(), 1))
    return np.array(values)


def test_multithumos():
    """Frames of all test videos in one list, whatever their lengths."""
    random = np.random.default_rng(0)
    targets = [(random.random((t, 5)) < 0.2).astype(int) for t in (7, 30, 1)]
    for truth in targets:
        truth[:, 3] = 0
    scores = [random.random(t.shape) for t in targets]
    pair = [torch.tensor(s) for s in scores], [torch.tensor(t) for t in targets]
    expected = ap_meter(np.concatenate(scores), np.concatenate(targets))
    found = per_frame_average_precision(*pair, empty='zero')
    np.testing.assert_allclose(found, expected, atol=1e-12)
    skipped = per_frame_average_precision(*pair)
    assert skipped.isnan().tolist() == [False, False, False, True, False]
    assert float(skipped.nanmean()) == pytest.approx(expected.sum() / 4)


def test_charades_localisation():
    """``Charades_v1_localize.m`` from annotations: 25 points, closed ends, rows without actions."""
    random = np.random.default_rng(1)
    videos = [(20.0, [('a', 0.0, 8.0), ('b', 8.0, 20.0), ('a', 4.0, 12.3)]), (31.3, [])]
    classes = ['a', 'b']
    scores = [random.random((25, 2)) for _ in videos]
    rows, truth = [], []
    for (length, actions), score in zip(videos, scores, strict=True):
        for j in range(1, 26):
            time = (j - 1) / 25 * length
            held = {name for name, start, end in actions if start <= time <= end}
            truth.append([int(name in held) for name in classes])
            rows.append(score[j - 1])
    rows, truth = np.array(rows), np.array(truth)
    expected = []
    for column in range(2):
        order = np.argsort(-rows[:, column], kind='stable')
        tp = truth[order, column] == 1
        precision = tp.cumsum() / np.arange(1, len(tp) + 1)
        expected.append(precision[tp].sum() / tp.sum())
    targets = [
        label_matrix(
            Timeline('v.mp4', [Segment((name,), start, end) for name, start, end in actions]),
            even_times(length, 25),
            classes,
        )
        for length, actions in videos
    ]
    found = per_frame_average_precision(
        [torch.tensor(s) for s in scores], [torch.tensor(t) for t in targets]
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bad_input_is_named():
    scores = torch.rand(3, 2)
    with pytest.raises(ValueError, match='empty'):
        per_frame_average_precision([scores], [scores.round()], empty='nan')
    with pytest.raises(ValueError, match='0 videos have scores'):
        per_frame_average_precision([], [])
    with pytest.raises(ValueError, match='video 0 has scores'):
        per_frame_average_precision([scores], [torch.ones(2, 2)])
