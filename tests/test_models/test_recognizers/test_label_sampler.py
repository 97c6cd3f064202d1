"""Random label subsets estimate the loss of the whole vocabulary without bias."""

import torch

from ovmlv.models.losses import MultilabelBCELoss
from ovmlv.models.recognizers.label_sampler import sample_labels


def test_weighted_subsets_are_unbiased():
    torch.manual_seed(0)
    logits = torch.randn(3, 30, dtype=torch.float64)
    targets = torch.zeros(3, 30, dtype=torch.long)
    targets[0, 3] = targets[1, 7] = 1
    targets[2, 11] = -1
    logits[:, [3, 7]] += 3  # labels that are always drawn are costlier than others
    loss = MultilabelBCELoss(reduction='sum_per_sample')
    estimates, plain = [], []
    for _ in range(4000):
        columns, weight = sample_labels(targets, 10)
        part = logits[:, columns], targets[:, columns]
        estimates.append(loss(*part, columns=columns, column_weight=weight))
        plain.append(loss(*part, columns=columns))
    estimates = torch.stack(estimates)
    error = (estimates.mean() - loss(logits, targets)).abs()
    assert error < 4 * estimates.std() / 4000**0.5
    unweighted = torch.stack(plain).mean() * 30 / 10
    assert (unweighted - loss(logits, targets)).abs() > 10 * error


def test_more_positives_than_asked_for_still_leave_room_for_others():
    targets = torch.zeros(2, 20, dtype=torch.long)
    targets[:, :9] = 1
    columns, weight = sample_labels(targets, 6)
    assert columns.tolist()[:9] == list(range(9)) and len(columns) == 12
    assert torch.allclose(weight, torch.tensor([1.0] * 9 + [11 / 3] * 3))


def test_all_positive():
    columns, weight = sample_labels(torch.ones(2, 5, dtype=torch.long), 3)
    assert columns.tolist() == list(range(5)) and (weight == 1).all()


def test_ranks_draw_differently(monkeypatch):
    targets = torch.zeros(2, 100, dtype=torch.long)
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr(
            'ovmlv.models.recognizers.label_sampler.get_rank', lambda rank=rank: rank
        )
        torch.manual_seed(5)
        drawn.append(sample_labels(targets, 10)[0].tolist())
    assert drawn[0] != drawn[1]


def test_alike_on_all_processes_is_the_choice_of_one():
    targets = (torch.rand(4, 50) < 0.1).long()
    torch.manual_seed(3)
    alone = sample_labels(targets, 10)
    torch.manual_seed(3)
    alike = sample_labels(targets, 10, alike=True)
    assert all(torch.equal(one, other) for one, other in zip(alone, alike, strict=True))
