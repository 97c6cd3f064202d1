"""CLIP's image tower over the frames of a video."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ovmlv.errors import ConfigError
from ovmlv.models.clip.loading import load_clip
from ovmlv.models.dual_encoders import is_dual_encoder
from ovmlv.models.temporal.frame_mean import mean_of_frames
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict, freeze
from ovmlv.models.utils.pixels import normalize_bytes
from ovmlv.models.utils.portions import by_portions
from ovmlv.models.utils.weight_watch import tensors_of
from ovmlv.registry import MODELS

from .base_video_encoder import BaseVideoEncoder
from .prefix_cache import PrefixCache
from .temporal_building import build_temporal
from .towers import Tower, as_tower


@MODELS.register_module()
class TemporalCLIPBackbone(BaseVideoEncoder):
    """Encode videos by a CLIP image tower with a temporal module (Gupta et al., ECCV 2024).

    At initialisation, the embedding is the mean of CLIP's frame embeddings, whichever temporal
    module is used, unless its gate is opened. Frozen pretrained weights are in no checkpoint; see
    `exclude_frozen_from_state_dict`.

    Args:
        model_name: open_clip architecture, or path of a JSON file of open_clip's schema.
        pretrained: open_clip tag, local weight file or folder (open_clip, OpenAI, transformers), or
            None for random weights.
        image_size: Image size, if it shall differ from the architecture's.
        num_frames: T of training. Any T works at any time, since temporal positions are
            interpolated.
        temporal: Config of a temporal module, inside blocks, beside them or over frames; None takes
            the mean of the frames.
        trainable: 'none'; 'temporal' (the temporal module); k (also the last k blocks, the final
            norm and projection); or 'all'.
        grad_checkpointing: Whether to save memory by computing activations again in the backward
            pass.
        keep_reference: Whether to keep a frozen copy of what is finetuned, for
            `forward_with_reference`.
        prefix_cache: Megabytes of memory in which to keep what the frozen part of the tower gave
            for each video. It pays off for training without augmentation on a CPU; see
            :class:`PrefixCache`.
        prefix_cache_dir: Folder in which to keep these tokens for further trainings, too, and those
            of test videos for further tests.
        init_cfg: See mmengine's ``BaseModule``.

    Attributes:
        embed_dim: E.
        mean: Mean of the pixels in 0..1 that the weights were trained with.
        std: Deviation of the pixels in 0..1.
        image_size: ``(H, W)``.
        clip_fingerprint: Hash of the CLIP's weights as they were loaded first, the same in the
            label encoder of the same CLIP.

    Examples:
        >>> import torch
        >>> from ovmlv.models.backbones import TemporalCLIPBackbone
        >>> backbone = TemporalCLIPBackbone('motionshapes', pretrained='motionshapes')
        >>> backbone.image_size, backbone.embed_dim
        ((64, 64), 128)
        >>> video, clip = backbone.forward_with_reference(torch.rand(2, 3, 8, 64, 64))
        >>> video.shape, torch.allclose(video, clip, atol=1e-5)  # it starts at CLIP's mean
        (torch.Size([2, 128]), True)
    """

    def __init__(
        self,
        model_name: str = 'ViT-B-16',
        pretrained: str | None = None,
        image_size: int | None = None,
        num_frames: int = 8,
        temporal: dict | None = dict(type='ParallelTemporalAttention'),  # noqa: B006
        trainable: str | int = 'temporal',
        grad_checkpointing: bool = False,
        keep_reference: bool = True,
        prefix_cache: float = 0.0,
        prefix_cache_dir: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_frames < 1:
            raise ConfigError(f'backbone.num_frames={num_frames} must be at least 1')
        if is_dual_encoder(model_name):
            raise ConfigError(
                f'backbone.model_name={model_name!r} is a dual encoder of transformers; use '
                "type='TransformersVideoBackbone'"
            )
        clip = load_clip(model_name, pretrained, image_size, part='vision')
        assert clip.visual is not None  # it was asked for
        self.visual: Any = clip.visual  # of open_clip or timm; as_tower knows its parts
        self.num_frames = num_frames
        self.embed_dim = clip.embed_dim
        self.mean, self.std = clip.mean, clip.std
        self.image_size = clip.image_size
        self.clip_fingerprint = clip.fingerprint
        self.trainable = trainable
        self.grad_checkpointing = grad_checkpointing
        self.temporal = build_temporal(temporal, self.tower, self.num_frames, self.embed_dim)
        self.first_live = self._freeze()
        self.reference: nn.Module | None = (
            self._copy_for_reference() if keep_reference and not self._spatial_is_frozen else None
        )
        if grad_checkpointing and not len(self.tower.blocks):
            self._checkpoint_whole_tower()
        self.prefix_cache: PrefixCache | None = None
        if prefix_cache > 0:
            # Beside the weights: heads, activations and sizes, and how far the prefix goes.
            parts: list[Any] = [clip.architecture.config, repr(self.visual), self.image_size]
            parts += [self.first_live, self._spatial_is_frozen]
            if self._tap is not None:  # with cells behind the embeddings
                parts += [self._tap, list(self.temporal.pooling.shape)]
            owner = json.dumps(parts, sort_keys=True, default=str)
            self.prefix_cache = PrefixCache(prefix_cache, prefix_cache_dir, owner)
        exclude_frozen_from_state_dict(self)

    @property
    def takes_bytes(self) -> bool:  # type: ignore[override]
        """A cache is asked by the pixels' bytes, and most videos of a step are in it."""
        return self.prefix_cache is not None and self.first_live >= 0

    @property
    def tower(self) -> Tower:
        """The image tower as a chain of embedding, blocks and head."""
        return as_tower(self.visual)

    def forward(self, x: Tensor) -> Tensor:
        """Encode videos ``(B, C, T, H, W) -> (B, E)``; not normalised."""
        return by_portions(lambda x: self.forward_from(self.frozen_prefix(x), x.shape[2]), x)

    def encode_frames(self, x: Tensor) -> Tensor:
        """Embeddings of frames ``(B, C, T, H, W) -> (B, T, E)``, before a frame-level module."""
        return by_portions(lambda x: self._tapped_from(self.frozen_prefix(x), x.shape[2])[0], x)

    def forward_with_reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode videos by this model and by the frozen CLIP.

        The computation is shared up to the first block that trains or sees more than one frame.

        Args:
            x: ``(B, C, T, H, W)``

        Returns:
            ``(B, E)`` as from `forward`, and ``(B, E)`` the frozen CLIP's mean over frames, without
            gradient.
        """
        if self._is_cached and self._spatial_is_frozen:
            with torch.no_grad():
                tokens, reference = self._cached_prefix(x)
            return self.forward_from(tokens, x.shape[2]), reference
        tokens = self.frozen_prefix(x)
        return self.forward_from(tokens, x.shape[2]), self.reference_from(tokens, x.shape[2])

    @torch.no_grad()
    def frozen_prefix(self, x: Tensor) -> Tensor:
        """Run all before the first block that trains or sees more than one frame, without gradient.

        Args:
            x: ``(B, C, T, H, W)``

        Returns:
            ``(B * T, N, D)`` tokens; ``(B * T, E)`` embeddings if the whole tower is frozen and
            treats each frame alone, with the cells of a grid module behind them, ``(B * T, E +
            G * G * D)``; ``(B * T, C, H, W)`` frames if the embedding of patches trains. They
            depend on frozen weights only.
        """
        if x.ndim != 5:
            raise ConfigError(
                f'TemporalCLIPBackbone takes videos (B, C, T, H, W), not {tuple(x.shape)}; '
                'unsqueeze or flatten'
            )
        if self.first_live < 0:
            return x.transpose(1, 2).flatten(0, 1)
        if self._is_cached:
            return self._cached_prefix(x)[0]
        return self._compute_prefix(x)

    @property
    def _is_cached(self) -> bool:
        """Testing sees a video once, so that only what is kept on disk pays there."""
        cache = self.prefix_cache
        return cache is not None and (self.training or cache.folder is not None)

    def _cached_prefix(self, x: Tensor) -> tuple[Tensor, ...]:
        if self._spatial_is_frozen:
            weights = tensors_of(self.visual)
        else:
            weights = self.tower.prefix_tensors(self.first_live)
        assert self.prefix_cache is not None
        return self.prefix_cache(x, self._prefix_and_reference, weights)

    def _prefix_and_reference(self, x: Tensor) -> tuple[Tensor, ...]:
        tokens = self._compute_prefix(x)
        if not self._spatial_is_frozen:
            return (tokens,)
        return tokens, self.reference_from(tokens, x.shape[2])

    def _compute_prefix(self, x: Tensor) -> Tensor:
        tower = self.tower
        if x.dtype == torch.uint8:
            x = normalize_bytes(
                x,
                *(
                    x.new_tensor(v, dtype=torch.float32).view(-1, 1, 1, 1)
                    for v in (self.mean, self.std)
                ),
            )
        frames = x.transpose(1, 2).flatten(0, 1)
        if self.first_live > len(tower.blocks):
            embeddings, tapped = _run(tower, frames, -1, tap=self._tap)
            if tapped is None:
                return embeddings
            return torch.cat([embeddings, self.temporal.cells(tapped)], dim=1)
        tokens = tower.embed(frames)
        for i in range(self.first_live):
            tokens = tower.run(i, tokens)
        return tokens

    def forward_from(self, tokens: Tensor, num_frames: int) -> Tensor:
        """Run the rest of `forward`: what `frozen_prefix` returned ``-> (B, E)``."""
        frames, tapped = self._tapped_from(tokens, num_frames)
        if self.temporal.level == 'grid':
            cells = tokens[:, self.embed_dim :] if tapped is None else self.temporal.cells(tapped)
            return self.temporal(frames, cells.unflatten(0, (-1, num_frames)))
        return self.temporal(frames) if self.temporal.level == 'frame' else mean_of_frames(frames)

    @torch.no_grad()
    def reference_from(self, tokens: Tensor, num_frames: int) -> Tensor:
        """The frozen CLIP's mean over frames, from what `frozen_prefix` returned ``-> (B, E)``."""
        visual = self.visual if self._spatial_is_frozen else self.reference
        if visual is None:
            raise ConfigError(
                'backbone.keep_reference=False leaves no frozen CLIP to compare with; set it to '
                'True'
            )
        frames, _ = _run(as_tower(visual), tokens, self.first_live)
        return mean_of_frames(frames[:, : self.embed_dim].unflatten(0, (-1, num_frames)))

    def learn_known(self, text: Tensor, known: Tensor) -> None:
        """Let a grid module hear of what CLIP knows; see :class:`BaseVideoEncoder`."""
        if self.temporal.level == 'grid':
            self.temporal.learn_known(text, known)

    def pretrained_parameter_names(self) -> list[str]:
        """Names of the parameters that CLIP's weights filled, trainable or not."""
        return [f'visual.{name}' for name, _ in self.visual.named_parameters()]

    def layers_to_shard(self) -> list[nn.Module]:
        """Blocks of the tower and of its copy; a temporal module takes its own ones apart."""
        timed = set(self.temporal.blocks) if self.temporal.level == 'block' else set()
        found = [block for i, block in enumerate(self.tower.blocks) if i not in timed]
        if self.reference is not None:
            found += list(as_tower(self.reference).blocks)
        return [block for block in found if any(True for _ in block.parameters())]

    def drop_training_parts(self) -> None:
        """Let go of the frozen copy and of the cache."""
        self.reference = self.prefix_cache = None

    def train(self, mode: bool = True) -> TemporalCLIPBackbone:
        """Set training mode; what is frozen stays in evaluation mode.

        Batch norms stay there too, finetuned or not: frames of a few videos are no sample of the
        data that CLIP's statistics were made of.
        """
        super().train(mode)
        for module in self.visual.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        if self.trainable == 'none':
            self.temporal.eval()
        return self

    @property
    def _spatial_is_frozen(self) -> bool:
        return self.trainable in ('none', 'temporal')

    @property
    def _tap(self) -> int | None:
        """Index of the block whose input a grid module reads."""
        if self.temporal.level != 'grid':
            return None
        return self.temporal.block % len(self.tower.blocks)

    def _tapped_from(self, tokens: Tensor, num_frames: int) -> tuple[Tensor, Tensor | None]:
        """Embeddings ``(B, T, E)``, and the tokens ``(B * T, N, D)`` that passed the tap."""
        if tokens.shape[0] % num_frames:
            raise ConfigError(
                f'{len(tokens)} frames are no whole number of clips of num_frames={num_frames}; '
                'pass the T of the videos'
            )
        blocks = set(self.temporal.blocks) if self.temporal.level == 'block' else set()
        tower = self.tower
        saves = self.grad_checkpointing and self.training and torch.is_grad_enabled()

        # A frozen block's own attention needs no gradient; there the fused kernels are faster.
        choose = contextlib.nullcontext if self._spatial_is_frozen else trainable_attention

        def run(index: int, tokens: Tensor) -> Tensor:
            def block(tokens: Tensor) -> Tensor:
                with choose(tokens.device):
                    if index in blocks:
                        return self.temporal(tokens, num_frames, index, tower.parts(index))
                    return tower.run(index, tokens)

            return checkpoint(block, tokens, use_reentrant=False) if saves else block(tokens)

        frames, tapped = _run(tower, tokens, self.first_live, run, self._tap)
        return frames[:, : self.embed_dim].unflatten(0, (-1, num_frames)), tapped

    def _freeze(self) -> int:
        """Freeze what `trainable` leaves out.

        Returns:
            Index of the first part of the chain that trains or sees more than one frame: -1 for the
            embedding, 0.. for the blocks, their number for the head, one more for none.
        """
        tower = self.tower
        depth = len(tower.blocks)
        timed = min(self.temporal.blocks) if self.temporal.level == 'block' else depth + 1
        if self.trainable == 'all':
            return -1
        if self._spatial_is_frozen:
            freeze(self.visual)
            # Not marked as frozen: 'none' may follow upon training, and then belongs into
            # checkpoints.
            self.temporal.requires_grad_(self.trainable == 'temporal')
            return timed
        k = self.trainable
        if not isinstance(k, int) or isinstance(k, bool) or not 0 < k <= depth:
            numbers = (
                f', or a number of blocks from 1 to {depth}'
                if depth
                else f' ({tower.name} has no blocks to count)'
            )
            raise ConfigError(
                f"backbone.trainable={k!r} is unknown; use 'none', 'temporal', 'all'{numbers}"
            )
        tower.freeze(depth - k)
        return min(depth - k, timed, depth if self._tap is None else self._tap)

    def _copy_for_reference(self) -> nn.Module:
        """A frozen copy of what trains; it moves with the model, but is not in checkpoints."""
        reference = copy.deepcopy(self.visual)
        blocks = as_tower(reference).blocks
        for i in range(max(self.first_live, 0)):
            blocks[i] = nn.Identity()
        return freeze(reference, is_copy=True)

    def _checkpoint_whole_tower(self) -> None:
        if isinstance(self.visual, ModifiedResNet):
            raise ConfigError(
                'backbone.grad_checkpointing: open_clip cannot checkpoint a ModifiedResNet; set it '
                'to False'
            )
        self.visual.set_grad_checkpointing(True)


def _run(
    tower: Tower, tokens: Tensor, start: int, run: Any = None, tap: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Run the chain from part ``start`` on.

    Returns:
        Embeddings ``(B * T, E)``, and the input of block ``tap`` if that was passed.
    """
    depth = len(tower.blocks)
    tapped = None
    if start > depth:
        return tokens, tapped
    if start < 0:
        tokens = tower.embed(tokens)
    for i in range(max(start, 0), depth):
        if i == tap:
            tapped = tokens
        tokens = (run or tower.run)(i, tokens)
    return tower.head(tokens), tapped
