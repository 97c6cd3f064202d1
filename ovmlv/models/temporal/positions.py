"""Embeddings of a frame's place in the clip."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def resample_positions(positions: Tensor, num_frames: int) -> Tensor:
    """Interpolate positions ``(T0, D)`` linearly to ``(T, D)``; both ends keep theirs."""
    if len(positions) == num_frames:
        return positions
    return F.interpolate(positions.T[None], size=num_frames, mode='linear', align_corners=True)[0].T


def sinusoidal_positions(num_frames: int, width: int, scale: float = 1.0) -> Tensor:
    """Sine and cosine of T positions, ``(T, D)``, with root mean square ``scale``.

    Wavelengths run from two frames to four clip lengths, so that any two frames differ and distance
    shows.
    """
    half = (width + 1) // 2
    longest, shortest = 4.0 * max(num_frames, 2), 2.0
    steps = torch.linspace(0, 1, half)
    frequencies = 2 * math.pi / (longest * (shortest / longest) ** steps)
    # Half a frame of offset keeps the shortest wave off the zeros of its sine.
    angles = (torch.arange(num_frames)[:, None] + 0.5) * frequencies[None]
    return scale * math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
