"""A small network whose output is added to its input's origin, and is zero at first."""

from __future__ import annotations

from torch import nn


def residual_mlp(size: int, width: int, out: int) -> nn.Module:
    """An MLP with one hidden layer; the last layer starts at zero.

    Args:
        size: Channels in.
        width: Hidden channels.
        out: Channels out.
    """
    last = nn.Linear(width, out)
    mlp = nn.Sequential(nn.Linear(size, width), nn.GELU(), last)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return mlp
