import math

import pytest
import torch
from sklearn.metrics import average_precision_score

from ovmlv.errors import DataError
from ovmlv.evaluation.label_scores import LabelScores
from ovmlv.evaluation.per_class import per_class_rows, sort_rows

CLASSES = ['a', 'b', 'c']
SPLIT = dict(split=['seen', 'seen', 'unseen'])
TARGETS = torch.tensor([[1, 0, 0], [0, -1, 0], [1, 1, 0], [0, 0, -1]])
FIRST = torch.tensor([[0.9, 0.2, 0.1], [0.6, 0.9, 0.1], [0.4, 0.7, 0.2], [0.1, 0.8, 0.1]])
LAST = torch.tensor([[0.9, 0.2, 0.1], [0.3, 0.9, 0.1], [0.4, 0.9, 0.2], [0.1, 0.8, 0.1]])


def test_figures():
    run = LabelScores(LAST, TARGETS, CLASSES, SPLIT)
    a, b, c = per_class_rows({'x': run})
    assert a == dict(
        label='a', split='seen', positives=2, known=4, AP=1.0, predicted=1, precision=1.0,
        recall=0.5, mean_probability=pytest.approx(0.425), share=0.5,
    )  # fmt: skip
    assert (
        b['known'] == 3
        and b['precision'] == 0.5
        and b['predicted'] == 2
        and b['share'] == pytest.approx(1 / 3)
    )
    assert b['mean_probability'] == pytest.approx((0.2 + 0.9 + 0.8) / 3)
    assert math.isnan(c['AP']) and math.isnan(c['recall']) and c['share'] == 0


def test_change():
    runs = {n: LabelScores(s, TARGETS, CLASSES, SPLIT) for n, s in [('x', FIRST), ('y', LAST)]}
    rows = per_class_rows(runs)
    before = average_precision_score(TARGETS[:, 0], FIRST[:, 0])
    assert rows[0]['AP x'] == pytest.approx(before) and rows[0]['AP y'] == 1
    assert rows[0]['change'] == pytest.approx(1 - before)
    assert [r['label'] for r in sort_rows(rows, 'change')] == ['a', 'b', 'c']  # c has none
    assert [r['label'] for r in sort_rows(rows, 'change', descending=True)] == ['b', 'a', 'c']
    with pytest.raises(DataError, match='--sort AP: there is no such column'):
        sort_rows(rows, 'AP')
