"""A transformer over the frames' embeddings."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.scalars import load_scalars_of_any_form, scalar_parameter
from ovmlv.registry import MODELS

from .frame_mean import mean_of_frames
from .positions import TemporalPositions
from .pre_norm_layers import pre_norm_layers


@MODELS.register_module()
class FrameTransformer(BaseModule):
    """Mean over frames of ``z + g * LN(Transformer(LN(z) + pos))``, after ActionCLIP (Wang et al.,
    2021; its "Transf" head).

    ActionCLIP has neither gate (it is 1) nor norms; here the gate starts at 0, so that the
    embedding starts at the mean of CLIP's.

    Args:
        embed_dim: Given by the backbone, like ``num_frames``.
        num_frames: Given by the backbone; another number of frames works at any time.
        num_layers: Number of layers; ActionCLIP has 6.
        num_heads: Number of heads; None takes one for each 64 channels.
        mlp_ratio: Width of a layer's MLP over the embedding's.
        gate_init: Value at which the gate starts.
        position_scale: Root mean square of the sinusoids that the learnable positions start from.
        dropout: Dropout inside the layers.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from ovmlv.models.temporal import FrameTransformer
        >>> pool = FrameTransformer(embed_dim=64, num_frames=4)
        >>> frames = torch.rand(2, 6, 64)  # 2 videos of 6 frames: not the number of training
        >>> torch.allclose(pool(frames), frames.mean(1), atol=1e-5)  # its gate starts at 0
        True
    """

    level = 'frame'

    def __init__(
        self,
        embed_dim: int,
        num_frames: int,
        num_layers: int = 2,
        num_heads: int | None = None,
        mlp_ratio: float = 4.0,
        gate_init: float = 0.0,
        position_scale: float = 0.5,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        heads = num_heads or max(1, embed_dim // 64)
        if embed_dim % heads:
            raise ConfigError(
                f'temporal.num_heads={heads} does not divide the embedding of {embed_dim}; choose '
                'a divisor'
            )
        # CLIP's frame embeddings have a norm of about 10 and differ little between frames.
        self.norm = nn.LayerNorm(embed_dim)
        self.positions = TemporalPositions(num_frames, embed_dim, position_scale)
        self.layers = pre_norm_layers(embed_dim, num_layers, heads, mlp_ratio, dropout)
        self.gate = scalar_parameter(gate_init)
        load_scalars_of_any_form(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Pool ``(B, T, E) -> (B, E)``."""
        return mean_of_frames(frames + self.gate * self.layers(self.embed(frames)))

    def embed(self, frames: Tensor) -> Tensor:
        """What the first layer reads of frames ``(B, T, E)``."""
        return self.norm(frames) + self.positions(frames.shape[1])
