"""Which temporal module a config asks for, and whether the image tower can take it."""

from __future__ import annotations

from typing import Any

from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import BlockTemporalModule, require
from ovmlv.registry import MODELS

from .towers import Tower


def build_temporal(config: dict | None, tower: Tower, num_frames: int, embed_dim: int) -> nn.Module:
    """Build a temporal module for a tower.

    Args:
        config: Its config; None is the mean of the frames.
        tower: The image tower.
        num_frames: T of training.
        embed_dim: E of the tower's embeddings.

    Raises:
        ConfigError: It is no temporal module, or the tower has no place for it.
    """
    config = dict(config or dict(type='FrameMean'))
    kind = config.pop('type', None)
    # Not MODELS.build: in another project its default scope would hide ours.
    module_class: Any = MODELS.get(kind) if isinstance(kind, str) else kind
    level = getattr(module_class, 'level', None)
    if level not in ('frame', 'grid', 'block'):
        raise ConfigError(
            f'backbone.temporal.type={kind!r} is no temporal module; use '
            'ParallelTemporalAttention, NeighborFrameAttention, CrossFrameMessage, '
            'GridFrameTransformer, FrameTransformer or FrameMean'
        )
    depth = len(tower.blocks)
    if level != 'frame' and not depth:
        raise ConfigError(
            f'backbone.temporal: {module_class.__name__} needs transformer blocks, which '
            f'{tower.name} does not have; use FrameTransformer or FrameMean'
        )
    if level != 'frame' and tower.drops_patches():
        raise ConfigError(
            'backbone.temporal: patch dropout drops other patches in each frame; set '
            'vision_cfg.patch_dropout to 0'
        )
    of_level: dict[str, dict[str, Any]] = dict(
        frame=dict(embed_dim=embed_dim),
        grid=dict(embed_dim=embed_dim, token_width=tower.width, token_grid=tower.grid_size),
        block=dict(width=tower.width, depth=depth, has_class_token=tower.has_class_token),
    )
    module = module_class(**{'num_frames': num_frames, **of_level[level], **config})
    if level == 'grid' and not -depth <= module.block < depth:
        raise ConfigError(
            f"backbone.temporal.block={module.block} is none of the tower's {depth} blocks; "
            f'use {-depth}..{depth - 1}'
        )
    if level == 'block':
        require(module, BlockTemporalModule, 'backbone.temporal', 'BaseBlockTemporal')
        for index in module.blocks:
            module.check(tower.parts(index))
    return module
