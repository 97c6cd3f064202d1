"""Features in the place of a video encoder."""

import pytest
import torch

from ovmlv.errors import ConfigError
from ovmlv.models.backbones import FeatureBackbone


def test_mean_and_projection():
    x = torch.randn(2, 6, 5, 1, 1)
    alone = FeatureBackbone(6)
    assert alone.embed_dim == 6
    torch.testing.assert_close(alone(x), x.mean((2, 3, 4)))
    linear = FeatureBackbone(6, 4)
    weight, bias = linear.projection.weight, linear.projection.bias
    torch.testing.assert_close(linear(x), x.mean((2, 3, 4)) @ weight.T + bias)
    assert linear.embed_dim == 4 and len(linear.mean) == 6
    hidden = FeatureBackbone(6, 4, hidden=8, dropout=0.5).eval()
    assert hidden(x).shape == (2, 4)
    assert torch.equal(hidden(x), hidden(x))  # nothing is dropped in evaluation


def test_what_cannot_be():
    with pytest.raises(ConfigError, match='in_channels=0'):
        FeatureBackbone(0)
    with pytest.raises(
        ValueError, match=r'takes features \(B, 6, T, 1, 1\), not \(2, 5, 1, 1, 1\)'
    ):
        FeatureBackbone(6)(torch.zeros(2, 5, 1, 1, 1))
    with pytest.raises(ConfigError, match='video_distill=0'):
        FeatureBackbone(6).forward_with_reference(torch.zeros(2, 6, 1, 1, 1))
