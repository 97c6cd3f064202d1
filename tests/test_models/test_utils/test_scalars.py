"""FAULTS F9: no parameter lacks a dimension, and older checkpoints load."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from ovmlv.models.scorers import SigmoidScorer
from ovmlv.models.temporal import CrossFrameMessage, FrameTransformer
from ovmlv.models.utils.scalars import give_states_a_dimension
from ovmlv.registry import MODELS


def parts():
    temporal = [dict(type='CrossFrameMessage'), dict(type='FrameTransformer', num_layers=1)]
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    backbone = dict(type='TemporalCLIPBackbone', num_frames=4, **clip)
    yield SigmoidScorer(init_scale=10.0)
    yield FrameTransformer(64, 4, num_layers=1)
    yield CrossFrameMessage(32, 2, 4)
    for config in temporal:
        yield MODELS.build(dict(backbone, temporal=config))
    yield MODELS.build(dict(type='CoOpPromptHead', **clip))
    yield MODELS.build(
        dict(
            type='OpenVocabRecognizer', backbone=backbone, head=dict(type='CoOpPromptHead', **clip)
        )
    )


def as_saved_before(state):
    """Gates, scale and bias had no dimension."""
    single = ('gate', 'log_scale', 'bias')
    return {
        k: v.reshape(()) if v.shape == (1,) and k.split('.')[-1] in single else v
        for k, v in state.items()
    }


@pytest.mark.parametrize('index', range(7))
def test_parameters_have_a_dimension_and_old_checkpoints_load(index):
    part, other = list(parts())[index], list(parts())[index]
    assert all(p.ndim for p in part.parameters())
    with torch.no_grad():
        for p in part.parameters():
            if p.shape == (1,):
                p.add_(1.25)
    expected = {k: v.clone() for k, v in part.state_dict().items()}
    old = as_saved_before(expected)
    assert any(v.ndim == 0 for k, v in old.items() if 'calibrated' not in k) or index == 5
    other.load_state_dict({k: v.clone() for k, v in old.items()})
    torch.testing.assert_close(other.state_dict(), expected)
    load_state_dict(list(parts())[index], old, strict=True)  # as mmengine's runner loads


def test_state_of_an_older_optimiser():
    scorer = SigmoidScorer(init_scale=10.0)
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=0.1)
    scorer(torch.randn(2, 3)).sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    for state in saved['state'].values():
        for name in ('exp_avg', 'exp_avg_sq'):
            state[name] = state[name].reshape(())
    resumed = torch.optim.AdamW(scorer.parameters(), lr=0.1)
    resumed.load_state_dict(saved)
    give_states_a_dimension(resumed)
    resumed.step()
    for state in resumed.state.values():
        assert state['exp_avg'].shape == (1,) and state['step'].ndim == 0


def test_frozen_scalars_stay_in_the_state_dict_and_out_of_the_parameters():
    from ovmlv.models.utils import freeze

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3))
            self.logit_scale = nn.Parameter(torch.tensor(2.0))

    tower = Tower()
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    freeze(tower)
    assert [n for n, _ in tower.named_parameters()] == ['weight'] and tower.logit_scale == 2
    assert list(tower.state_dict()) == list(before)
    tower.load_state_dict({k: v + 1 for k, v in before.items()})
    assert tower.logit_scale == 3
