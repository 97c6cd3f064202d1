"""Architectures that this project adds to timm's registry.

``vit_motionshapes`` is the image tower of the shipped tiny CLIP. When small vision transformers are
trained from scratch for minutes, they hardly learn shapes from 8x8 patches; with a residual
convolutional stem in place of the patches, they do (Xiao et al., "Early Convolutions Help
Transformers See Better", arXiv 2106.14881). timm's ``HybridEmbed`` allows such a stem; open_clip's
own ViT does not.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import timm
import torch
from timm.layers import HybridEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ovmlv.errors import ConfigError


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))


class ResidualStem(nn.Sequential):
    """Convolutional stem of stride 8: ``(B, 3, H, W) -> (B, widths[-1], H / 8, W / 8)``."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 128)) -> None:
        layers: list[nn.Module] = []
        in_width = 3
        for width in widths:
            layers += [
                nn.Conv2d(in_width, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            if in_width != 3:  # at half resolution a residual block costs most and gives least
                layers.append(_Residual(width))
            in_width = width
        super().__init__(*layers)


def vit_motionshapes(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """ViT of 4 blocks of width 128 over the 8x8 grid of a residual stem, average pooling."""
    if pretrained:
        raise ConfigError('vit_motionshapes has no weights of its own; load the tiny CLIP instead')
    config = dict(
        img_size=64, patch_size=1, embed_dim=128, depth=4, num_heads=4, class_token=False,
        global_pool='avg', fc_norm=False, num_classes=0,
        embed_layer=partial(HybridEmbed, backbone=ResidualStem()),
    )  # fmt: skip
    kwargs = {k: v for k, v in kwargs.items() if k not in ('pretrained_cfg', 'cache_dir')}
    kwargs.pop('pretrained_cfg_overlay', None)
    model: Any = VisionTransformer(**{**config, **kwargs})
    # open_clip asks for it; a fixed pooling size would mean a convolutional trunk.
    model.default_cfg = {'input_size': (3, 64, 64), 'pool_size': None}
    return model


if 'vit_motionshapes' not in timm.list_models('vit_motionshapes'):
    timm.models.register_model(vit_motionshapes)
