"""Embeddings of a frame's place in the clip."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TemporalPositions(nn.Module):
    """Learnable embeddings of T0 positions, for any T, that start from sinusoids.

    If a checkpoint has another T0, it is resampled when it is loaded.

    Args:
        num_frames: T0.
        width: D.
        scale: Root mean square of the sinusoids.
    """

    flexible_shapes = True  # see exclude_frozen_from_state_dict

    def __init__(self, num_frames: int, width: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(sinusoidal_positions(num_frames, width, scale))

    def forward(self, num_frames: int) -> Tensor:
        """Embeddings ``(T, D)``."""
        return resample_positions(self.weight, num_frames)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        loaded = state_dict.get(f'{prefix}weight')
        if loaded is not None and loaded.ndim == 2 and loaded.shape[1] == self.weight.shape[1]:
            state_dict[f'{prefix}weight'] = resample_positions(loaded, len(self.weight))
        super()._load_from_state_dict(state_dict, prefix, *args)


def resample_positions(positions: Tensor, num_frames: int) -> Tensor:
    """Interpolate positions ``(T0, D)`` linearly to ``(T, D)``; both ends keep theirs."""
    if len(positions) == num_frames:
        return positions
    return F.interpolate(positions.T[None], size=num_frames, mode='linear', align_corners=True)[0].T


def sinusoidal_positions(num_frames: int, width: int, scale: float = 1.0) -> Tensor:
    """Sine and cosine of T positions, ``(T, D)``, with root mean square ``scale``.

    Wavelengths go from two frames to four clip lengths, so that any two frames differ and their
    distance can be seen.
    """
    half = (width + 1) // 2
    longest, shortest = 4.0 * max(num_frames, 2), 2.0
    steps = torch.linspace(0, 1, half)
    frequencies = 2 * math.pi / (longest * (shortest / longest) ** steps)
    # Half a frame of offset keeps the shortest wave off the zeros of its sine.
    angles = (torch.arange(num_frames)[:, None] + 0.5) * frequencies[None]
    return scale * math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
