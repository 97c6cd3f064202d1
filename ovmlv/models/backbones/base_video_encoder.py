"""What every video encoder has, whether it comes from CLIP or not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from ovmlv.errors import ConfigError


class BaseVideoEncoder(BaseModule):
    """Encodes videos into CLIP's joint embedding space.

    Contract: :class:`~ovmlv.models.contracts.VideoEncoder`. A subclass gives ``embed_dim`` and
    :meth:`forward`; all else has a default, which is that of an encoder without CLIP's weights.

    Args:
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        embed_dim: E.
        num_frames: T of training.
        image_size: ``(H, W)`` of the pictures; None where it sees no pixels, or pictures of any
            size.
        mean: Of each channel of the pixels in [0, 1]; None leaves it to the data preprocessor.
        std: The same for the standard deviation.
        takes_bytes: Whether it also takes pixels as bytes, and normalises those that it looks at.
        temporal: The module that joins the frames; None where there is none.

    Examples:
        >>> import torch
        >>> from ovmlv.models.backbones import BaseVideoEncoder
        >>> class MeanColour(BaseVideoEncoder):
        ...     embed_dim = 3
        ...     def forward(self, x):
        ...         return x.mean((2, 3, 4))
        >>> videos = torch.rand(2, 3, 8, 4, 4)  # 2 videos of 8 frames of 4 x 4 pixels
        >>> MeanColour()(videos).shape, MeanColour().encode_frames(videos).shape
        (torch.Size([2, 3]), torch.Size([2, 8, 3]))
    """

    embed_dim: int
    num_frames: int = 8
    image_size: tuple[int, int] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    takes_bytes: bool = False

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        # Not of the class: that would hide a submodule of this name.
        self.temporal: Any = None

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Encode normalised videos ``(B, C, T, H, W) -> (B, E)``; the vectors have any length."""

    def forward_with_reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(B, C, T, H, W)`` by this and by the frozen CLIP ``-> (B, E), (B, E)``.

        Raises:
            ConfigError: There is no frozen CLIP.
        """
        raise ConfigError(
            f'{type(self).__name__} has no frozen CLIP to compare with; set video_distill=0 in the '
            'loss'
        )

    def encode_frames(self, x: Tensor) -> Tensor:
        """Embeddings of frames ``(B, C, T, H, W) -> (B, T, E)``: each as a video of its own."""
        frames = x.transpose(1, 2).flatten(0, 1).unsqueeze(2)
        return self(frames).unflatten(0, (len(x), -1))

    def learn_known(self, text: Tensor, known: Tensor) -> None:
        """Hear, before training, of what CLIP knows.

        Args:
            text: CLIP's unit vectors ``(C, E)`` of the labels of training.
            known: How well it tells each, ``(C,)`` from 0 (no better than chance) to 1.
        """

    def pretrained_parameter_names(self) -> list[str]:
        """Names of the parameters that CLIP's weights filled, whether they train or not."""
        return []

    def drop_training_parts(self) -> None:
        """Let go of what only training needs, such as copies and caches."""
