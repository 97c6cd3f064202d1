"""Interpolated-weight regularisation against closed forms and a plain loop."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.models.recognizers import InterpolatedWeights
from tests.test_integration.tiny import (
    LABELS,
    build_model,
    make_batch,
    model_config,
    total,
    write_clip,
)


class Line(nn.Module):
    """``y = slope x + offset``: two parameters, of which only the first is CLIP's."""

    def __init__(self, slope: float, offset: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x):
        return self.slope * x + self.offset

    def pretrained_parameter_names(self):
        return ['slope']


def test_gradient_of_two_parameters_in_closed_form():
    """L = (y - t)^2 + w (y' - t)^2 with y' at slope' = a s0 + (1 - a) s."""
    line = Line(2.0, 0.5)
    mixed = InterpolatedWeights(line, weight=0.5, max_alpha=0.6)
    assert mixed.start.names == ('slope',), 'the offset starts neither as CLIP nor at zero'
    with torch.no_grad():
        line.slope.fill_(3.0)
        line.offset.fill_(1.0)
    x, t = torch.tensor(2.0), torch.tensor(4.0)
    torch.manual_seed(7)
    alpha = 0.6 * torch.rand(()).item()
    torch.manual_seed(7)
    loss = (line(x) - t) ** 2 + mixed.weight * (mixed(line, x) - t) ** 2
    loss.backward()
    s, s0, b = 3.0, 2.0, 1.0
    at_mixed = (alpha * s0 + (1 - alpha) * s) * 2.0 + b - 4.0
    at_weights = s * 2.0 + b - 4.0
    assert loss.item() == pytest.approx(at_weights**2 + 0.5 * at_mixed**2, rel=1e-6)
    slope = 2 * at_weights * 2.0 + 0.5 * 2 * at_mixed * 2.0 * (1 - alpha)
    assert line.slope.grad.item() == pytest.approx(slope, rel=1e-6)
    # The offset has no start: it is copied, and its gradient carries no factor.
    offset = 2 * at_weights + 0.5 * 2 * at_mixed
    assert line.offset.grad.item() == pytest.approx(offset, rel=1e-6)
    assert line.slope.item() == 3.0


def test_shares_are_uniform_up_to_the_largest():
    line = Line(0.0, 1.0)
    mixed = InterpolatedWeights(line, max_alpha=0.6)
    line.slope.data.fill_(1.0)
    torch.manual_seed(0)
    drawn = torch.stack([1 - (mixed(line, torch.tensor(1.0)) - 1.0) for _ in range(2000)]).detach()
    assert 0 <= drawn.min() < 0.01 and 0.59 < drawn.max() <= 0.6
    assert drawn.mean().item() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize('trainable', ['temporal', 'all'])
def test_loss_and_gradients_of_the_recognizer_equal_two_models(trainable, tmp_path, monkeypatch):
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(
            trainable=trainable,
            temporal=dict(type='ParallelTemporalAttention', blocks='last-1', zero_init='proj'),
        ),
        head=dict(type='CoOpPromptHead'),
        loss=dict(video_distill=0.5),
        scorer=dict(init_bias=-2.0),
        interpolation=dict(type='InterpolatedWeights', weight=0.25),
    )
    model = build_model(config)  # build_model moves the weights that start at zero
    model.set_vocabulary(LABELS)
    start = dict(zip(model.interpolation.start.names, model.interpolation.start.buffers()))
    assert any(not value.any() for value in start.values())
    with torch.no_grad():
        for p in model.backbone.parameters():
            if p.requires_grad:
                p.add_(0.02 * torch.randn_like(p))
    monkeypatch.setattr(torch, 'rand', lambda *size, **kwargs: torch.full(size[0], 0.5))
    data = model.data_preprocessor(make_batch(3))
    losses = model(**data, mode='loss')
    total(losses).backward()

    plain = build_model({**config, 'interpolation': None})
    assert set(plain.state_dict()) == set(model.state_dict()), 'nothing is added to checkpoints'
    plain.load_state_dict(model.state_dict())
    other = copy.deepcopy(plain)
    alpha = 0.6 * 0.5
    with torch.no_grad():
        for name, p in other.backbone.named_parameters():
            if name in start:
                p.copy_(alpha * start[name] + (1 - alpha) * p)
    results = []
    for twin in (plain, other):
        twin.set_vocabulary(LABELS)
        results.append(twin(**data, mode='loss'))
    expected = 0.25 * results[1]['loss_cls']
    torch.testing.assert_close(losses['loss_interpolated'], expected, atol=1e-6, rtol=1e-5)
    total(results[0]).backward()
    expected.backward()
    theirs = [dict(twin.named_parameters()) for twin in (plain, other)]
    for name, p in model.named_parameters():
        if p.requires_grad:
            factor = 1 - alpha if name.removeprefix('backbone.') in start else 1.0
            grad = theirs[0][name].grad + factor * theirs[1][name].grad
            torch.testing.assert_close(p.grad, grad, atol=1e-5, rtol=1e-3, msg=name)


def test_refused(tmp_path):
    with pytest.raises(ConfigError, match='max_alpha=1.5'):
        InterpolatedWeights(Line(1.0, 1.0), max_alpha=1.5)
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(temporal=dict(type='FrameMean')),
        head=dict(type='TemplatePromptHead'),
        interpolation=dict(),
    )
    with pytest.raises(ConfigError, match='nothing that trains in the backbone'):
        build_model(config)
