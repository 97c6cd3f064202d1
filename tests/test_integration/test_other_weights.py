"""The loss of the real model on interpolated weights, for regularisers such as Open-VCLIP's."""

from __future__ import annotations

import copy

import torch

from tests.test_integration.tiny import (
    LABELS,
    build_model,
    make_batch,
    model_config,
    total,
    write_clip,
)


def test_gradients_reach_the_weights_through_an_interpolation(tmp_path):
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(trainable='all'),
        loss=dict(video_distill=0.5, weight_l2=0.1),
    )
    model = build_model(config)
    model.set_vocabulary(dict(classes=LABELS, label_prior=[0.2] * len(LABELS)))
    data = model.data_preprocessor(make_batch(3))
    total(model(**data, mode='loss')).backward()  # finds the scorer's bias
    model.zero_grad()
    state = {name: value.clone() for name, value in model.state_dict().items()}

    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    start = {name: p.detach() + 0.05 * torch.randn_like(p) for name, p in trained.items()}
    mixed = {name: 0.4 * start[name] + 0.6 * p for name, p in trained.items()}
    losses = torch.func.functional_call(model, mixed, (), dict(**data, mode='loss'))
    total(losses).backward()

    other = copy.deepcopy(model)
    other.zero_grad()
    with torch.no_grad():
        for name, p in other.named_parameters():
            if name in mixed:
                p.copy_(mixed[name])
    expected = other(**data, mode='loss')
    total(expected).backward()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, atol=1e-6, rtol=1e-5, msg=name)
    theirs = dict(other.named_parameters())
    for name, p in trained.items():
        torch.testing.assert_close(p.grad, 0.6 * theirs[name].grad, atol=1e-5, rtol=1e-3, msg=name)
    # The model itself is untouched.
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
