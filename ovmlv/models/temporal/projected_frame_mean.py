"""The mean of the frames, with a projection that only training sees."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS

from .frame_mean import mean_of_frames


@MODELS.register_module()
class ProjectedFrameMean(BaseModule):
    """``z = mean of frames``; in training ``z + W_2 (W_1 z)``, where ``W_2`` starts at zero.

    This is the specialization projection of TACO (Zhu et al., arXiv 2606.25478), after the code
    that its authors published: what belongs to the training labels alone may gather in the
    projection, which testing leaves out. It needs a tower that trains (``backbone.trainable``).

    Args:
        embed_dim: Given by the backbone.
        num_frames: Given by the backbone; not used.
        hidden: Width between the two layers.
        init_cfg: See mmengine's ``BaseModule``.

    Raises:
        ConfigError: ``hidden`` is not positive.

    Examples:
        >>> import torch
        >>> from ovmlv.models.temporal import ProjectedFrameMean
        >>> module = ProjectedFrameMean(embed_dim=2, num_frames=2)
        >>> frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # 1 video, 2 frames, 2 channels
        >>> with torch.no_grad():
        ...     module.outer.bias.fill_(10.0), module(frames), module.eval()(frames)
        (Parameter containing:
        tensor([10., 10.], requires_grad=True), tensor([[12., 13.]]), tensor([[2., 3.]]))
    """

    level = 'frame'

    def __init__(
        self, embed_dim: int, num_frames: int, hidden: int = 32, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if hidden < 1:
            raise ConfigError(f'backbone.temporal.hidden={hidden} must be at least 1')
        self.inner = nn.Linear(embed_dim, hidden)
        self.outer = nn.Linear(hidden, embed_dim)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """Pool ``(B, T, E) -> (B, E)``."""
        mean = mean_of_frames(frames)
        if not self.training:
            return mean
        return mean + self.outer(self.inner(mean.to(self.inner.weight.dtype)))
