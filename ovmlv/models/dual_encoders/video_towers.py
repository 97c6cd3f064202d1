"""The side of videos of each dual encoder, with one form of input and output.

Each class takes what it needs out of a model of transformers. Its parameters are all in its
:meth:`~VideoTower.chain`, in the order of the computation, so that the end of it can be trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.temporal.positions import resample_positions


class VideoTower(nn.Module):
    """Normalised videos ``(B, C, T, H, W)`` to embeddings ``(B, E)``, of any length.

    Attributes:
        by_frame: Whether each frame is encoded alone, so that :meth:`frames` can be called.
        embed_dim: E.
        num_frames: T of its pretraining; None where it has none. Any other T works too.
        image_size: ``(H, W)`` of the pictures.
        name: Name of the class of transformers, for messages.
    """

    by_frame = False
    embed_dim: int
    num_frames: int | None = None
    image_size: tuple[int, int]

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.name = type(model).__name__

    def forward(self, videos: Tensor) -> Tensor:
        """Encode videos ``(B, C, T, H, W) -> (B, E)``."""
        raise NotImplementedError

    def frames(self, videos: Tensor) -> Tensor:
        """Encode frames ``(B, C, T, H, W) -> (B, T, E)``; only where ``by_frame`` is true."""
        pictures = videos.transpose(1, 2).flatten(0, 1)
        return self.pictures(pictures).unflatten(0, (-1, videos.shape[2]))

    def pictures(self, pictures: Tensor) -> Tensor:
        """Encode pictures ``(N, C, H, W) -> (N, E)``; only where ``by_frame`` is true."""
        raise NotImplementedError

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """All modules in the order of the computation, and whether each is a block."""
        raise NotImplementedError

    def checkpoint_activations(self) -> None:
        """Save memory by computing activations again in the backward pass.

        Raises:
            ConfigError: This model cannot.
        """
        from transformers import PreTrainedModel  # whose import would slow every start

        try:
            for module in self.modules():
                if isinstance(module, PreTrainedModel):
                    module.gradient_checkpointing_enable(dict(use_reentrant=False))
        except ValueError as error:
            raise ConfigError(
                f'backbone.grad_checkpointing: {self.name} cannot compute activations again; set '
                'it to False'
            ) from error

    def _refuse_other_sizes(self, videos: Tensor) -> None:
        if tuple(videos.shape[-2:]) != self.image_size:
            height, width = self.image_size
            raise ConfigError(
                f'{self.name} takes pictures of {width}x{height}, not '
                f'{videos.shape[-1]}x{videos.shape[-2]}; resize them in the pipeline'
            )


class VideoPrismVideoTower(VideoTower):
    """VideoPrism: space, then time, then attention pooling (arXiv 2402.13217).

    The positions in time are interpolated where a video has another number of frames, as
    transformers does it with ``interpolate_pos_encoding=True``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        config = model.config.vision_config
        self.core = model.video_model
        self.embed_dim = config.hidden_size
        self.num_frames = config.num_frames
        self.image_size = _pair(config.image_size)

    def forward(self, videos: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        same = videos.shape[2] == self.num_frames and tuple(videos.shape[-2:]) == self.image_size
        out = self.core(videos.transpose(1, 2), interpolate_pos_encoding=not same)
        return out.pooler_output[:, 0]

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """See :class:`VideoTower`."""
        vision = self.core.vision_model
        yield vision.spatial_embeddings, False
        yield from _blocks(vision.spatial_layers)
        yield vision.layernorm1, False
        yield vision.temporal_embeddings, False
        yield from _blocks(vision.temporal_layers)
        yield vision.layernorm2, False
        yield from _blocks(self.core.auxiliary_layers)
        yield self.core.head, False
        yield self.core.head_layernorm, False


class PeVideoTower(VideoTower):
    """Perception Encoder over frames, then a Transformer over time (PE-AV's video side)."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.core = model.video_encoder
        self.head = model.video_head
        self.embed_dim = self.head.proj.out_features
        self.image_size = _timm_size(self.core.embedder.vision_model.timm_model)

    def forward(self, videos: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        self._refuse_other_sizes(videos)
        # It is viewed as one batch of pictures.
        out = self.core(videos.transpose(1, 2).contiguous())
        return self.head(out.pooler_output)

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """See :class:`VideoTower`."""
        embedder = self.core.embedder
        yield embedder.vision_model, False
        yield embedder.proj, False
        yield embedder.data_proj, False
        yield self.core.patch_embedder, False
        yield from _blocks(self.core.layers)
        yield self.core.norm, False
        yield self.core.output, False
        yield self.head, False


class XCLIPVideoTower(VideoTower):
    """X-CLIP: messages between the frames, and a Transformer over them (arXiv 2208.02816).

    X-CLIP's prompts of a video on the side of texts are left out, since a label's embedding
    must not depend on the video. For another number of frames than that of the weights, the
    positions of the Transformer over frames are interpolated (ours).
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.vision = model.vision_model
        self.projection = model.visual_projection
        self.mit = model.mit
        config = model.config.vision_config
        self.embed_dim = self.projection.out_features
        self.num_frames = config.num_frames
        self.image_size = _pair(config.image_size)

    def forward(self, videos: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        time = videos.shape[2]
        for layer in self.vision.encoder.layers:
            layer.num_frames = time  # how many tokens exchange messages
        pictures = videos.transpose(1, 2).flatten(0, 1)
        same = tuple(videos.shape[-2:]) == self.image_size
        out = self.vision(pixel_values=pictures, interpolate_pos_encoding=not same)
        frames = self.projection(out.pooler_output).unflatten(0, (-1, time))
        positions = resample_positions(self.mit.position_embedding[0], time)
        states = self.mit.encoder(inputs_embeds=frames + positions)[0]
        return (states.type(frames.dtype) + frames).mean(1)

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """See :class:`VideoTower`."""
        yield self.vision.embeddings, False
        yield self.vision.pre_layernorm, False
        yield from _blocks(self.vision.encoder.layers)
        yield self.vision.post_layernorm, False
        yield self.projection, False
        yield self.mit, False


class CLIPVideoTower(VideoTower):
    """CLIP's image tower over each frame."""

    by_frame = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.vision = model.vision_model
        self.projection = model.visual_projection
        self.embed_dim = self.projection.out_features
        self.image_size = _pair(model.config.vision_config.image_size)

    def pictures(self, pictures: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        same = tuple(pictures.shape[-2:]) == self.image_size
        out = self.vision(pixel_values=pictures, interpolate_pos_encoding=not same)
        return self.projection(out.pooler_output)

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """See :class:`VideoTower`."""
        yield self.vision.embeddings, False
        yield self.vision.pre_layrnorm, False  # the typo is theirs
        yield from _blocks(self.vision.encoder.layers)
        yield self.vision.post_layernorm, False
        yield self.projection, False


class SiglipVideoTower(VideoTower):
    """SigLIP's image tower over each frame; SigLIP 2 with a fixed size has the same class."""

    by_frame = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.vision = model.vision_model
        self.embed_dim = model.config.vision_config.hidden_size
        self.image_size = self._size(model.config.vision_config)

    def _size(self, config: Any) -> tuple[int, int]:
        return _pair(config.image_size)

    def pictures(self, pictures: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        same = tuple(pictures.shape[-2:]) == self.image_size
        out = self.vision(pixel_values=pictures, interpolate_pos_encoding=not same)
        return out.pooler_output

    def chain(self) -> Iterator[tuple[nn.Module, bool]]:
        """See :class:`VideoTower`."""
        yield self.vision.embeddings, False
        yield from _blocks(self.vision.encoder.layers)
        yield self.vision.post_layernorm, False
        yield self.vision.head, False


class Siglip2VideoTower(SiglipVideoTower):
    """SigLIP 2 with any size (NaFlex): pictures are cut into patches before the tower.

    ``image_size`` is the square of as many patches as the weights have positions. Pictures of
    another shape, such as those that keep their aspect ratio, work where both sides are whole
    numbers of patches.
    """

    def _size(self, config: Any) -> tuple[int, int]:
        self.patch = int(config.patch_size)
        side = self.patch * math.isqrt(config.num_patches)
        return side, side

    def pictures(self, pictures: Tensor) -> Tensor:
        """See :class:`VideoTower`."""
        height, width = pictures.shape[-2:]
        if height % self.patch or width % self.patch:
            raise ConfigError(
                f'{self.name} takes pictures of whole patches of {self.patch} pixels, not '
                f'{width}x{height}; resize them in the pipeline'
            )
        rows, columns = height // self.patch, width // self.patch
        # As transformers' processor does it: a patch is (row, column, channel).
        patches = pictures.unflatten(3, (columns, self.patch)).unflatten(2, (rows, self.patch))
        patches = patches.permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2)
        # All pictures have one shape: no padding, no mask, and positions are made once.
        vision = self.vision
        tokens = vision.embeddings.patch_embedding(patches) + self._positions(rows, columns)
        states = vision.encoder(inputs_embeds=tokens).last_hidden_state
        return vision.head(vision.post_layernorm(states))

    def _positions(self, rows: int, columns: int) -> Tensor:
        """Positions ``(rows * columns, D)``, interpolated as transformers does it."""
        weight = self.vision.embeddings.position_embedding.weight
        side = math.isqrt(len(weight))
        if (rows, columns) == (side, side):
            return weight
        grid = weight.unflatten(0, (side, side)).permute(2, 0, 1)[None].float()
        grid = F.interpolate(grid, (rows, columns), mode='bilinear', antialias=True)
        return grid[0].flatten(1).T.to(weight.dtype)


def _blocks(layers: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, bool]]:
    return ((layer, True) for layer in layers)


def _pair(size: Any) -> tuple[int, int]:
    """``(H, W)`` of a configuration's size."""
    if isinstance(size, (list, tuple)):
        return int(size[0]), int(size[1])
    return int(size), int(size)


def _timm_size(model: Any) -> tuple[int, int]:
    """``(H, W)`` of the pictures that a model of timm takes."""
    return _pair(model.patch_embed.img_size)
