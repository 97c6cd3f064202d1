"""Temporal modules over frame embeddings, positions, and the choice of blocks."""

import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError
from ovmlv.models.temporal import FrameMean, FrameTransformer, ProjectedFrameMean, select_blocks
from ovmlv.models.temporal.positions import resample_positions, sinusoidal_positions


def test_frame_mean():
    frames = torch.randn(2, 3, 8)
    assert torch.equal(FrameMean(8, 3)(frames), frames.mean(1))


def test_projection_is_of_training_alone():
    torch.manual_seed(0)
    module, frames = ProjectedFrameMean(8, 3, hidden=4), torch.randn(2, 3, 8)
    assert torch.equal(module(frames), frames.mean(1)), 'it starts at the mean'
    torch.nn.init.normal_(module.outer.weight)
    low = frames.mean(1) @ module.inner.weight.T + module.inner.bias
    expected = frames.mean(1) + low @ module.outer.weight.T + module.outer.bias
    torch.testing.assert_close(module(frames), expected)
    assert torch.equal(module.eval()(frames), frames.mean(1))
    with pytest.raises(ConfigError, match='hidden=0'):
        ProjectedFrameMean(8, 3, hidden=0)


@torch.no_grad()
def test_frame_transformer_starts_at_the_mean_and_equals_a_loop():
    torch.manual_seed(0)
    module = FrameTransformer(embed_dim=16, num_frames=4, num_layers=2, num_heads=2).eval()
    frames = 10 * torch.randn(3, 4, 16)
    torch.testing.assert_close(module(frames), frames.mean(1), atol=1e-6, rtol=0)
    module.gate.fill_(0.6)
    for b in range(3):
        y = module.norm(frames[b]) + module.positions.weight
        for layer in module.layers.layers:
            h = layer.norm1(y)[None]
            y = y + layer.self_attn(h, h, h)[0][0]
            h = torch.nn.functional.gelu(layer.linear1(layer.norm2(y)))
            y = y + layer.linear2(h)
        expected = (frames[b] + 0.6 * module.layers.norm(y)).mean(0)
        torch.testing.assert_close(module(frames)[b], expected, atol=1e-5, rtol=1e-5)
    for num_frames in (1, 2, 9):
        assert module(torch.randn(2, num_frames, 16)).shape == (2, 16)
    with pytest.raises(ConfigError, match='num_heads=5'):
        FrameTransformer(16, 4, num_heads=5)


@pytest.mark.parametrize('num_frames', [2, 4, 5, 11])
def test_positions_are_interpolated_linearly(num_frames):
    positions = torch.randn(4, 6)
    actual = resample_positions(positions, num_frames)
    at = np.linspace(0, 3, num_frames)
    for d in range(6):
        expected = np.interp(at, np.arange(4), positions[:, d].numpy())
        np.testing.assert_allclose(actual[:, d].numpy(), expected, atol=1e-6)
    assert resample_positions(positions, 4) is positions
    assert torch.equal(resample_positions(positions, 1), positions[:1])


def test_sinusoids_tell_frames_apart():
    for num_frames, width in ((1, 5), (8, 32), (64, 33)):
        positions = sinusoidal_positions(num_frames, width, 0.5)
        assert positions.shape == (num_frames, width)
        assert positions.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.2)
        distance = torch.cdist(positions, positions) + 1e3 * torch.eye(num_frames)
        assert distance.min() > 0.1 * width**0.5


def test_choice_of_blocks():
    assert select_blocks('all', 3) == (0, 1, 2)
    assert select_blocks('last-2', 12) == select_blocks(2, 12) == (10, 11)
    assert select_blocks('last-4', 3) == (0, 1, 2)
    assert select_blocks('every-5', 12) == (1, 6, 11)
    assert select_blocks([-1, 0, 11], 12) == (0, 11)
    for wrong in ('last-0', 'first-2', 'last', 0, 13, -1, True, [], [12], ['1'], None, 1.5):
        with pytest.raises(ConfigError, match=r'temporal\.blocks'):
            select_blocks(wrong, 12)
