"""The layers of transformers over frames."""

from __future__ import annotations

from torch import nn


def pre_norm_layers(
    width: int, num_layers: int, num_heads: int, mlp_ratio: float, dropout: float
) -> nn.TransformerEncoder:
    """A transformer over ``(B, T, width)`` with norms before its parts and one at its end."""
    layer = nn.TransformerEncoderLayer(
        width,
        num_heads,
        round(mlp_ratio * width),
        dropout,
        'gelu',
        batch_first=True,
        norm_first=True,
    )
    norm = nn.LayerNorm(width)
    return nn.TransformerEncoder(layer, num_layers, norm, enable_nested_tensor=False)
