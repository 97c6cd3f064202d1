"""Mixed precision on the CPU."""

import pytest
import torch
from torch import nn

from ovmlv.engine.optim_wrappers import AutocastOptimWrapper
from ovmlv.errors import ConfigError


def build(model, **kwargs):
    return AutocastOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), 0.5), **kwargs)


def test_forward_in_bfloat16_and_weights_in_float32():
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    start = model.weight.detach().clone()
    x = torch.randn(8, 4)
    wrapper = build(model, dtype='bfloat16')
    with wrapper.optim_context(model):
        y = model(x)
    assert y.dtype == torch.bfloat16
    wrapper.update_params(y.float().square().mean())
    assert model.weight.dtype == torch.float32
    assert not model.weight.equal(start)


def test_close_to_plain_float32_and_accumulates():
    steps = []
    for kwargs in (dict(dtype='bfloat16'), dict(dtype='auto')):
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        wrapper = build(model, accumulative_counts=2, **kwargs)
        wrapper.initialize_count_status(model, 0, 4)
        x = torch.randn(4, 8, 4)
        plain = nn.Linear(4, 2)
        plain.load_state_dict(model.state_dict())
        optimizer = torch.optim.SGD(plain.parameters(), 0.5)
        for i, batch in enumerate(x):
            with wrapper.optim_context(model):
                loss = model(batch).float().square().mean()
            wrapper.update_params(loss)
            (plain(batch).square().mean() / 2).backward()
            if i % 2:
                optimizer.step()
                optimizer.zero_grad()
        torch.testing.assert_close(model.weight, plain.weight, atol=2e-2, rtol=2e-2)
        steps.append(model.weight.detach())
    torch.testing.assert_close(*steps, atol=2e-2, rtol=2e-2)


def test_other_formats_are_refused():
    with pytest.raises(ConfigError, match='AmpOptimWrapper'):
        build(nn.Linear(2, 2), dtype='float16')
