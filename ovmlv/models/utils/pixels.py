"""Pixels as bytes to the numbers that image towers read."""

from __future__ import annotations

from torch import Tensor


def normalize_bytes(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Bytes ``(..., C, T, H, W)`` to float32 ``(pixels / 255 - mean) / std``.

    Args:
        pixels: uint8.
        mean: ``(C, 1, 1, 1)`` of pixels in [0, 1].
        std: The same for the standard deviation.

    Examples:
        >>> import torch
        >>> half = torch.full((1, 1, 1, 1), 0.5)
        >>> normalize_bytes(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), half, half).tolist()
        [[[[-1.0, 1.0]]]]
    """
    return pixels.float().div_(255).sub_(mean).div_(std)
