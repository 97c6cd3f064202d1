"""The gate of what CLIP knows, against scikit-learn's logistic regression."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ovmlv.errors import ConfigError
from ovmlv.models.heads.knowledge_gate import KnowledgeGate


def problem(count=90, width=12):
    generator = torch.Generator().manual_seed(0)
    states = 3 + torch.randn(count, width, generator=generator)
    noise = 0.5 * torch.randn(count, generator=generator)
    known = (states[:, 0] - 3 + noise).sigmoid()
    known[::10] = torch.nan
    return states, known


@pytest.mark.parametrize('penalty', [0.01, 1.0, 10.0])
@pytest.mark.parametrize('threshold', [0.3, 0.6])
def test_it_is_scikit_learns(penalty, threshold):
    states, known = problem()
    gate = KnowledgeGate(12, threshold, penalty)
    gate.fit(states, known)
    judged = ~known.isnan()
    centred = states - states[judged].mean(0)
    features = (centred / centred.norm(dim=-1, keepdim=True) * 12**0.5).numpy()
    model = LogisticRegression(C=penalty, class_weight='balanced', tol=1e-8, max_iter=10000)
    model.fit(features[judged], (known[judged] < threshold).numpy())
    expected = torch.from_numpy(2 * model.predict_proba(features)[:, 1] - 1).float()
    torch.testing.assert_close(gate(states), expected.clamp(min=0), atol=2e-4, rtol=0)
    assert gate(states).std() > 0.005 and 0 < (gate(states) == 0).float().mean() < 1


@pytest.mark.parametrize('known', [[0.9, 0.8], [0.1, 0.2], [torch.nan, 0.1], [torch.nan] * 2])
def test_it_stays_open_where_labels_do_not_differ(known):
    gate = KnowledgeGate(3)
    gate.fit(torch.randn(2, 3), torch.tensor(known))
    assert torch.equal(gate(torch.randn(4, 3)), torch.ones(4))


def test_it_is_saved_and_has_nothing_to_train():
    gate, other = KnowledgeGate(12), KnowledgeGate(12)
    states, known = problem()
    gate.fit(states, known)
    assert not list(gate.parameters())
    other.load_state_dict(gate.state_dict())
    assert torch.equal(gate(states), other(states))


@pytest.mark.parametrize('wrong', [dict(threshold=0.0), dict(inverse_penalty=0.0)])
def test_settings_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        KnowledgeGate(4, **wrong)
