"""Features that were extracted before, in place of a video encoder."""

from __future__ import annotations

from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .base_video_encoder import BaseVideoEncoder


@MODELS.register_module()
class FeatureBackbone(BaseVideoEncoder):
    """Average the features of a video's frames and project them to the labels' space.

    It is for data sets that publish features rather than videos (YouTube-8M). There is no frozen
    CLIP to stay close to, so the loss must not use ``video_distill``.

    Args:
        in_channels: D.
        embed_dim: E, that of the label encoder's CLIP. None takes D, without a projection.
        hidden: Width of a hidden layer; with None, the projection is linear.
        dropout: Dropout of the averaged features in training.
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        embed_dim: E.
        mean: Zeros, since features are not normalised as pixels are.
        std: Ones.

    Examples:
        >>> import torch
        >>> from ovmlv.models.backbones import FeatureBackbone
        >>> features = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])  # 2 channels, 3 frames
        >>> features = features.reshape(1, 2, 3, 1, 1)
        >>> FeatureBackbone(in_channels=2)(features)
        tensor([[2., 5.]])
        >>> FeatureBackbone(in_channels=2, embed_dim=512)(features).shape
        torch.Size([1, 512])
    """

    def __init__(
        self,
        in_channels: int,
        embed_dim: int | None = None,
        hidden: int | None = None,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels < 1 or (embed_dim is not None and embed_dim < 1):
            raise ConfigError(
                f'FeatureBackbone: in_channels={in_channels} and embed_dim={embed_dim} must be '
                'positive'
            )
        self.in_channels = in_channels
        self.embed_dim = embed_dim or in_channels
        self.mean, self.std = [0.0] * in_channels, [1.0] * in_channels
        self.dropout = nn.Dropout(dropout)
        if embed_dim is None:
            self.projection: nn.Module = nn.Identity()
        elif hidden is None:
            self.projection = nn.Linear(in_channels, embed_dim)
        else:
            self.projection = nn.Sequential(
                nn.Linear(in_channels, hidden), nn.GELU(), nn.Linear(hidden, embed_dim)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Encode features ``(B, D, T, 1, 1) -> (B, E)``; not normalised."""
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f'FeatureBackbone takes features (B, {self.in_channels}, T, 1, 1), not '
                f'{tuple(x.shape)}; set in_channels to that of LoadRecordFeatures'
            )
        return self.projection(self.dropout(x.mean((2, 3, 4))))
