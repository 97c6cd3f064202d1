"""The side of videos of a dual encoder of transformers."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.dual_encoders import load_dual_encoder
from ovmlv.models.dual_encoders.video_towers import VideoTower
from ovmlv.models.temporal.frame_mean import mean_of_frames
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict, freeze
from ovmlv.models.utils.residual_mlp import residual_mlp
from ovmlv.models.utils.weight_watch import tensors_of
from ovmlv.registry import MODELS

from .base_video_encoder import BaseVideoEncoder
from .prefix_cache import PrefixCache


@MODELS.register_module()
class TransformersVideoBackbone(BaseVideoEncoder):
    """Encode videos by a dual encoder of transformers: VideoPrism, PE-AV, X-CLIP, SigLIP or CLIP.

    The embedding is that of ``get_video_features``; of models of pictures (CLIP, SigLIP, SigLIP 2)
    it is the mean of ``get_image_features`` of the frames, or what a temporal module makes of them.
    Whatever is on top starts without an effect. Frozen pretrained weights are in no checkpoint; see
    `exclude_frozen_from_state_dict`.

    Args:
        model_name: ``transformers:owner/name`` of the hub, a local folder, or a configuration as a
            dict; see :func:`~ovmlv.models.dual_encoders.load_dual_encoder`.
        pretrained: The same name for its weights; None draws random ones from a fixed seed.
        num_frames: T of training. None takes that of the processor or of the weights. Any T works
            at any time; where the weights have positions in time, they are interpolated.
        temporal: Config of a temporal module over frames (``FrameTransformer``), for models of
            pictures. None takes the mean of the frames.
        adapter_width: Hidden width of a residual adapter on the embedding (Gao et al.,
            "CLIP-Adapter", arXiv 2110.04544); with 0, there is none.
        trainable: 'none'; 'temporal' (what is on top: temporal module and adapter); k (also the
            last k blocks and what follows them); or 'all'.
        grad_checkpointing: Whether to save memory by computing activations again in the backward
            pass.
        keep_reference: Whether to keep a frozen copy of what is finetuned, for
            `forward_with_reference`.
        prefix_cache: Megabytes of memory in which to keep what the frozen encoder gave for each
            video; see :class:`PrefixCache`. It is of use if the whole encoder is frozen.
        prefix_cache_dir: Folder in which to keep this for further trainings, too.
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        embed_dim: E.
        mean: Mean of the pixels in 0..1, as the processor has it.
        std: Deviation of the pixels in 0..1.
        image_size: ``(H, W)``.
        clip_fingerprint: Hash of the weights as they were loaded first.

    Examples:
        >>> import torch
        >>> from ovmlv.models.backbones import TransformersVideoBackbone
        >>> tiny = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2)
        >>> vision = dict(**tiny, image_size=32, patch_size=16, num_hidden_layers=1)
        >>> text = dict(**tiny, num_hidden_layers=1)
        >>> name = dict(model_type='clip', projection_dim=8, vision_config=vision, text_config=text)
        >>> backbone = TransformersVideoBackbone(name)  # random weights
        >>> backbone.image_size, backbone.embed_dim, backbone.num_frames
        ((32, 32), 8, 8)
        >>> backbone(torch.rand(2, 3, 8, 32, 32)).shape  # 2 videos of 8 frames
        torch.Size([2, 8])
    """

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        num_frames: int | None = None,
        temporal: dict | None = None,
        adapter_width: int = 0,
        trainable: str | int = 'none',
        grad_checkpointing: bool = False,
        keep_reference: bool = True,
        prefix_cache: float = 0.0,
        prefix_cache_dir: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_frames is not None and num_frames < 1:
            raise ConfigError(f'backbone.num_frames={num_frames} must be at least 1, or None')
        if adapter_width < 0:
            raise ConfigError(
                f'backbone.adapter_width={adapter_width} must not be negative; 0 is none'
            )
        found = load_dual_encoder(model_name, pretrained, part='video')
        assert found.video is not None and found.settings is not None  # it was asked for
        self.visual: VideoTower = found.video
        self.num_frames = found.num_frames if num_frames is None else num_frames
        self.embed_dim = found.embed_dim
        self.mean, self.std = found.settings.mean, found.settings.std
        self.image_size = self.visual.image_size
        self.clip_fingerprint = found.fingerprint
        self.trainable = trainable
        self.temporal = self._build_temporal(temporal)
        self.adapter: nn.Module | None = None
        if adapter_width:
            self.adapter = residual_mlp(self.embed_dim, adapter_width, self.embed_dim)
        self._is_frozen = trainable in ('none', 'temporal')
        self._freeze()
        self.reference: VideoTower | None = None
        if keep_reference and not self._is_frozen:
            self.reference = copy.deepcopy(self.visual)
            freeze(self.reference, is_copy=True)
        if grad_checkpointing:
            self.visual.checkpoint_activations()
        self.prefix_cache: PrefixCache | None = None
        if prefix_cache > 0 and self._is_frozen:
            parts = [repr(self.visual), self.image_size]
            self.prefix_cache = PrefixCache(
                prefix_cache, prefix_cache_dir, json.dumps(parts, default=str)
            )
        exclude_frozen_from_state_dict(self)

    def forward(self, x: Tensor) -> Tensor:
        """Encode videos ``(B, C, T, H, W) -> (B, E)``; not normalised."""
        return self._on_top(self._encode(x))

    def forward_with_reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(B, C, T, H, W)`` by this and by the frozen model ``-> (B, E), (B, E)``.

        Raises:
            ConfigError: No frozen copy was kept.
        """
        found = self._encode(x)
        if self._is_frozen:
            return self._on_top(found), self._pooled(found).detach()
        if self.reference is None:
            raise ConfigError(
                'backbone.keep_reference=False leaves no frozen model to compare with; set it to '
                'True'
            )
        with torch.no_grad():
            reference = self._pooled(self._run(self.reference, x))
        return self._on_top(found), reference

    def encode_frames(self, x: Tensor) -> Tensor:
        """Embeddings of frames ``(B, C, T, H, W) -> (B, T, E)``, before a temporal module.

        An encoder of whole videos takes each frame as a video of its own.
        """
        return self._encode(x) if self.visual.by_frame else super().encode_frames(x)

    def pretrained_parameter_names(self) -> list[str]:
        """Names of the parameters that the model's weights filled, trainable or not."""
        return [f'visual.{name}' for name, _ in self.visual.named_parameters()]

    def drop_training_parts(self) -> None:
        """Let go of the frozen copy and of the cache."""
        self.reference = self.prefix_cache = None

    def train(self, mode: bool = True) -> TransformersVideoBackbone:
        """Set training mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.trainable == 'none':
            for module in self._tops():
                module.eval()
        return self

    def _encode(self, x: Tensor) -> Tensor:
        """What the encoder gives: of frames ``(B, T, E)``, or of videos ``(B, E)``."""
        if x.ndim != 5:
            raise ConfigError(
                f'TransformersVideoBackbone takes videos (B, C, T, H, W), not {tuple(x.shape)}; '
                'unsqueeze or flatten'
            )
        if not self._is_frozen:
            return self._run(self.visual, x)
        with torch.no_grad():
            if self.prefix_cache is None or not self.training:
                return self._run(self.visual, x)
            rows = self.prefix_cache(x, self._rows, tensors_of(self.visual))[0]
            return rows.unflatten(0, (len(x), -1)) if self.visual.by_frame else rows

    def _rows(self, x: Tensor) -> tuple[Tensor]:
        """As :meth:`_encode`, in rows ``(B * T, E)`` or ``(B, E)``, for the cache."""
        found = self._run(self.visual, x)
        return (found.flatten(0, 1) if self.visual.by_frame else found,)

    @staticmethod
    def _run(visual: VideoTower, x: Tensor) -> Tensor:
        return visual.frames(x) if visual.by_frame else visual(x)

    def _pooled(self, found: Tensor) -> Tensor:
        return mean_of_frames(found) if self.visual.by_frame else found

    def _on_top(self, found: Tensor) -> Tensor:
        out = found if self.temporal is None else self.temporal(found)
        if self.adapter is None:
            return out
        out = F.normalize(out.float(), dim=-1)
        # The entries of unit vectors are of size E^-1/2, and layers expect size one.
        return out + self.adapter((out * self.embed_dim**0.5).to(self._adapter_dtype))

    @property
    def _adapter_dtype(self) -> torch.dtype:
        assert self.adapter is not None  # asked where there is one
        return next(self.adapter.parameters()).dtype

    def _build_temporal(self, config: dict | None) -> nn.Module | None:
        if not self.visual.by_frame:
            if config is None:
                return None
            raise ConfigError(
                f'backbone.temporal: {self.visual.name} encodes videos as a whole, time included; '
                'leave temporal out, or set adapter_width'
            )
        config = dict(config or dict(type='FrameMean'))
        kind = config.pop('type', None)
        # Not MODELS.build: in another project its default scope would hide ours.
        module_class = MODELS.get(kind) if isinstance(kind, str) else kind
        if getattr(module_class, 'level', None) != 'frame':
            raise ConfigError(
                f'backbone.temporal.type={kind!r} is no temporal module over frames; use '
                'FrameTransformer or FrameMean (those inside of blocks fit TemporalCLIPBackbone)'
            )
        given = dict(embed_dim=self.embed_dim, num_frames=self.num_frames)
        return module_class(**{**given, **config})

    def _tops(self) -> list[nn.Module]:
        return [module for module in (self.temporal, self.adapter) if module is not None]

    def _freeze(self) -> None:
        """Freeze what `trainable` leaves out."""
        k = self.trainable
        if self._is_frozen:
            freeze(self.visual)
            # Not marked as frozen: 'none' may follow upon training, and then belongs into
            # checkpoints.
            for module in self._tops():
                module.requires_grad_(k == 'temporal')
            return
        chain = list(self.visual.chain())
        blocks = [i for i, (_, is_block) in enumerate(chain) if is_block]
        if k == 'all':
            return
        if not isinstance(k, int) or isinstance(k, bool) or not 0 < k <= len(blocks):
            raise ConfigError(
                f"backbone.trainable={k!r} is unknown; use 'none', 'temporal', 'all', or a number "
                f'of blocks from 1 to {len(blocks)}'
            )
        for module, _ in chain[: blocks[-k]]:
            freeze(module)
