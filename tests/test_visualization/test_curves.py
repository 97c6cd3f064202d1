import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve

from ovmlv.errors import DataError
from ovmlv.evaluation.label_scores import LabelScores
from ovmlv.visualization.curves import draw_curves, precision_recall, reliability


def make(seed=0, num=60):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(num, 6, generator=generator).mul(20).round() / 20  # with ties
    targets = (torch.rand(num, 6, generator=generator) < scores).long()
    targets[torch.rand(num, 6, generator=generator) < 0.2] = -1
    return scores, targets


def test_precision_recall_is_that_of_sklearn():
    scores, targets = make()
    curve = precision_recall(scores, targets)
    known = targets >= 0
    truth, values = (targets[known] == 1).numpy(), scores[known].numpy()
    precision, recall, _ = precision_recall_curve(truth, values)
    np.testing.assert_allclose(curve.recall[1:], recall[:-1][::-1])
    np.testing.assert_allclose(curve.precision[1:], precision[:-1][::-1])
    assert curve.ap == pytest.approx(average_precision_score(truth, values))
    with pytest.raises(DataError, match='at least one positive'):
        precision_recall(scores, torch.zeros_like(targets))


def test_reliability_is_that_of_sklearn():
    scores, targets = make()
    bins = reliability(scores, targets, num_bins=7)  # whose edges are none of the scores
    known = targets >= 0
    share, mean = calibration_curve(
        (targets[known] == 1).numpy(), scores[known].double().numpy(), n_bins=7
    )
    np.testing.assert_allclose(bins.frequency, share)
    np.testing.assert_allclose(bins.probability, mean, atol=1e-7)
    gap = bins.count * np.abs(bins.frequency - bins.probability)
    assert (
        bins.ece == pytest.approx(gap.sum() / known.sum().item())
        and bins.count.sum() == known.sum()
    )


@pytest.mark.parametrize('num_bins', [3, 7, 10, 15, 49, 100])
def test_reliability_has_the_bins_of_the_error(num_bins):
    """Scores on edges too, and each bar stands over its own bin."""
    edges = torch.arange(num_bins, dtype=torch.float64) / num_bins
    scores = torch.cat([edges, edges + 0.25 / num_bins])[:, None]
    targets = (torch.arange(len(scores)) % 3 == 0).long()[:, None]
    bins = reliability(scores, targets, num_bins)
    assert bins.count.tolist() == [2] * num_bins
    np.testing.assert_array_equal(bins.left, edges)
    gap = np.abs(bins.frequency - bins.probability).mean()
    assert bins.ece == pytest.approx(gap, abs=1e-12)
    alone = reliability(edges[:, None], torch.ones(num_bins, 1), num_bins)  # means on the edges
    np.testing.assert_array_equal(alone.left, edges)


def test_reliability_leaves_out_what_was_not_predicted():
    """As the calibration error does."""
    scores, targets = torch.tensor([[0.25, 0.75, -torch.inf]]), torch.tensor([[0, 1, 1]])
    bins = reliability(scores, targets, 2)
    assert bins.count.tolist() == [1, 1] and bins.probability.tolist() == [0.25, 0.75]
    assert bins.ece == pytest.approx(0.25)


def test_picture(tmp_path):
    classes = list('abcdef')
    attributes = dict(split=['seen'] * 3 + ['unseen'] * 3)
    runs = {f'run {i}': LabelScores(*make(i), classes, attributes) for i in range(2)}
    path = draw_curves(runs, tmp_path / 'new' / 'curves.png')
    assert path.read_bytes()[:4] == b'\x89PNG'
    text = draw_curves(runs, tmp_path / 'splits.svg').read_text()
    for group, chosen in (('seen', [0, 1, 2]), ('unseen', [3, 4, 5]), ('all labels', range(6))):
        assert f'{group} ({len(chosen)})' in text
        for name, run in runs.items():  # each has its own calibration error
            error = reliability(run.scores[:, list(chosen)], run.targets[:, list(chosen)]).ece
            assert f'{name}: {100 * error:.1f}' in text, (group, name)
    text = draw_curves(runs, tmp_path / 'curves.svg', axis='kind').read_text()
    assert 'all labels (6)' in text and 'unseen' not in text
