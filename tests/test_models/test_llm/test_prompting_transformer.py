"""The prompting transformer: starts at zero, ignores padding, keeps groups and labels apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm import PromptingTransformer
from ovmlv.models.llm.prompting_transformer import MultiHeadAttention


def make(**kwargs) -> PromptingTransformer:
    torch.manual_seed(0)
    return PromptingTransformer(
        state_size=20, token_size=12, width=16, num_heads=2, num_layers=2, **kwargs
    )


def wake(prompter: PromptingTransformer) -> PromptingTransformer:
    nn.init.normal_(prompter.project_out.weight)
    return prompter


def test_starts_at_zero_with_a_gradient_of_the_projection() -> None:
    prompter = make(num_groups=2)
    states, mask = torch.randn(3, 5, 20), torch.ones(3, 5, dtype=torch.bool)
    out = prompter(states, mask)
    assert out.shape == (3, 2, 3, 12) and (out == 0).all()
    (out * torch.randn_like(out)).sum().backward()
    reached = {n for n, p in prompter.named_parameters() if p.grad.abs().max() > 0}
    assert reached == {'project_out.weight', 'project_out.bias'}


def test_every_parameter_gets_a_gradient_afterwards() -> None:
    prompter = wake(make(num_groups=2))
    out = prompter(torch.randn(3, 5, 20), torch.arange(5)[None] < torch.tensor([[5], [2], [3]]))
    (out * torch.randn_like(out)).sum().backward()
    silent = [
        n for n, p in prompter.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-6
    ]
    assert silent == []


def test_padding_is_not_read() -> None:
    prompter = wake(make())
    states = torch.randn(2, 5, 20)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    changed = states.clone()
    changed[1, 3:] = 100.0
    torch.testing.assert_close(prompter(changed, mask), prompter(states, mask))
    torch.testing.assert_close(
        prompter(states, mask)[1:], prompter(states[1:, :3], mask[1:, :3]), atol=1e-5, rtol=0
    )


def test_large_states_are_tamed_and_the_residual_is_scaled() -> None:
    prompter = wake(make())
    states, mask = torch.randn(2, 5, 20), torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(
        prompter(1000 * states, mask), prompter(states, mask), atol=1e-3, rtol=1e-3
    )
    scaled = wake(make(residual_scale=0.5, token_std=0.1))
    torch.testing.assert_close(scaled(states, mask), 0.05 * prompter(states, mask))


def test_attention_equals_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = MultiHeadAttention(16, 2), nn.MultiheadAttention(16, 2, batch_first=True)
    zero = torch.zeros(16)  # our keys have no bias: it has no effect
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat([ours.query.weight, ours.key.weight, ours.value.weight])
        )
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, zero, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, context = torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    want = theirs(x, context, context, key_padding_mask=~mask)[0]
    torch.testing.assert_close(ours(x, context, mask), want, atol=1e-6, rtol=1e-5)
    assert F.mse_loss(want[0], want[1]) > 0


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(num_soft_tokens=0), 'num_soft_tokens=0'),
        (dict(num_layers=0), 'num_layers=0'),
        (dict(width=15), 'width=15'),
    ],
)
def test_wrong_settings(kwargs: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PromptingTransformer(**{**dict(state_size=4, token_size=4), **kwargs})
