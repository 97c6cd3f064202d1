"""No temporal modelling: the mean of the frames."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovmlv.registry import MODELS


@MODELS.register_module()
class FrameMean(BaseModule):
    """Mean of the frame embeddings, as in ViFi-CLIP (Rasheed et al., CVPR 2023). It learns nothing.

    Args:
        embed_dim: Given by the backbone, like ``num_frames``; not used.
        num_frames: Not used.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from ovmlv.models.temporal import FrameMean
        >>> frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # 1 video, 2 frames, 2 channels
        >>> FrameMean(embed_dim=2, num_frames=2)(frames)
        tensor([[2., 3.]])
    """

    level = 'frame'

    def __init__(self, embed_dim: int, num_frames: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)

    def forward(self, frames: Tensor) -> Tensor:
        """Pool ``(B, T, E) -> (B, E)``."""
        return mean_of_frames(frames)


def mean_of_frames(frames: Tensor) -> Tensor:
    """Mean ``(B, T, E) -> (B, E)``, in float32 at least."""
    return frames.mean(1, dtype=torch.promote_types(frames.dtype, torch.float32))
