"""Directions of an embedding space that what CLIP knows does not need."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError


def without_gaps(known: Tensor) -> Tensor:
    """How well labels are known, ``(C,)``; nan gets the mean of the others, or 1 without any."""
    return known.nan_to_num(known.nanmean().nan_to_num(1.0).item())


class SpareDirections(nn.Module):
    """Projects changes of embeddings onto the directions that known labels hardly use.

    CLIP's embeddings of labels that it knows fill few directions: half of them may hold 98 % of
    their squared length. A change of a video's embedding along the others moves none of its
    similarities to those labels, and leaves room for what CLIP does not know. The largest
    eigenvectors of the labels' second moments are kept as they are, so many that they hold
    ``share`` of it. Until it is fitted, nothing is projected. This is ours, not the paper's.

    Args:
        embed_dim: E.
        share: See above, in (0, 1).

    Raises:
        ConfigError: The share cannot be used.

    Examples:
        >>> import torch
        >>> from ovmlv.models.utils.spare_directions import SpareDirections
        >>> spare = SpareDirections(embed_dim=3, share=0.9)
        >>> spare.fit(torch.tensor([[1.0, 0.1, 0.0], [1.0, -0.1, 0.0]]), torch.ones(2))
        >>> spare(torch.ones(3)).round().tolist()  # all lie along the first axis
        [0.0, 1.0, 1.0]
    """

    projection: Tensor

    def __init__(self, embed_dim: int, share: float) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise ConfigError(f'kept_share={share} must be between 0 and 1')
        self.share = share
        self.register_buffer('projection', torch.eye(embed_dim))

    def forward(self, change: Tensor) -> Tensor:
        """Project changes ``(..., E)``."""
        return change @ self.projection.to(change.dtype)

    @torch.no_grad()
    def fit(self, text: Tensor, weight: Tensor) -> None:
        """Find the directions.

        Args:
            text: CLIP's unit vectors ``(C, E)`` of labels.
            weight: How well CLIP knows each label, ``(C,)`` in [0, 1]; see :func:`without_gaps`.
        """
        rows = text.double() * without_gaps(weight).double()[:, None].sqrt()
        values, vectors = torch.linalg.eigh(rows.T @ rows)  # ascending
        held = values.flip(0).clamp(min=0).cumsum(0)
        count = int((held < self.share * held[-1]).sum()) + 1
        spare = vectors[:, : len(values) - count]
        self.projection.copy_(spare @ spare.T)
