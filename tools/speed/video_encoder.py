"""Rows of the video encoder: forward against other encoders, a step against full finetuning."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import XCLIPConfig, XCLIPModel

from ovmlv.models.backbones import TemporalCLIPBackbone

from .side_by_side import Row, Side, difference


def encoder_and_videos(args: argparse.Namespace) -> tuple[Any, Tensor]:
    """An architecture of open_clip with random weights, and videos ``(B, 3, T, H, W)`` for it."""
    torch.manual_seed(args.seed)
    dtype = getattr(torch, args.dtype)
    device = torch.device(args.device)
    backbone: Any = TemporalCLIPBackbone(args.clip, num_frames=args.frames).to(device, dtype)
    size = backbone.image_size[0]
    videos = torch.randn(args.batch, 3, args.frames, size, size, device=device, dtype=dtype)
    return backbone, videos


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """Both rows."""
    backbone, videos = encoder_and_videos(args)
    frames = videos.transpose(1, 2).flatten(0, 1)
    yield _forward(args, backbone, videos, frames)
    yield _step(args, backbone, videos, frames)


def _mean(visual: Any, frames: Tensor, count: int) -> Tensor:
    """What is done with open_clip by hand: encode the frames, and take their mean."""
    return visual(frames).unflatten(0, (-1, count)).mean(1)


def _forward(args: argparse.Namespace, backbone: Any, videos: Tensor, frames: Tensor) -> Row:
    xclip = _xclip(args, backbone).to(videos.device, videos.dtype)
    pixels = videos.transpose(1, 2)

    @torch.inference_mode()
    def by_hand() -> Tensor:
        return _mean(backbone.visual, frames, args.frames)

    @torch.inference_mode()
    def by_xclip() -> Tensor:
        return xclip.get_video_features(pixels)

    @torch.inference_mode()
    def ours() -> Tensor:
        return backbone(videos)

    def check(found: dict[str, Any]) -> str:
        apart = difference(found['open_clip, mean of frames'].float(), found['ovmlv'].float())
        assert apart < (1e-5 if args.dtype == 'float32' else 3e-2), apart
        return (
            f'the branch starts at the mean of frames: embeddings differ by {apart:.1e} of the '
            'largest value. X-CLIP is another model of the same size'
        )

    backbone.eval()
    xclip.eval()
    name = f'video encoder, forward: {args.clip}, {args.batch} videos of {args.frames} frames'
    sides = [
        Side('open_clip, mean of frames', by_hand),
        Side("transformers' X-CLIP", by_xclip),
        Side('ovmlv', ours, goal=1.05),
    ]
    return Row(name, sides, check, (args.batch, 'videos'))


def _xclip(args: argparse.Namespace, backbone: Any) -> nn.Module:
    """X-CLIP with the sizes of our image tower."""
    tower = backbone.tower
    block = tower.blocks[0]
    vision = dict(
        hidden_size=tower.width, num_hidden_layers=len(tower.blocks),
        num_attention_heads=block.attn.num_heads, intermediate_size=block.mlp.c_fc.out_features,
        image_size=backbone.image_size[0], patch_size=backbone.visual.patch_size[0],
        num_frames=args.frames, mit_num_attention_heads=max(1, backbone.embed_dim // 64),
        mit_hidden_size=backbone.embed_dim, mit_intermediate_size=4 * backbone.embed_dim,
    )  # fmt: skip
    text = dict(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=1)
    config = XCLIPConfig(text_config=text, vision_config=vision, projection_dim=backbone.embed_dim)
    return XCLIPModel(config)


def _step(args: argparse.Namespace, backbone: Any, videos: Tensor, frames: Tensor) -> Row:
    finetuned = copy.deepcopy(backbone.visual).train().requires_grad_(True)
    target = F.normalize(torch.randn(args.batch, backbone.embed_dim), dim=-1).to(videos)

    def loss_of(video: Tensor) -> Tensor:
        return (1 - (F.normalize(video, dim=-1) * target).sum(-1)).mean()

    def full() -> float:
        loss = loss_of(_mean(finetuned, frames, args.frames))
        loss.backward()
        finetuned.zero_grad(set_to_none=True)
        return loss.item()

    def frozen() -> float:
        loss = loss_of(backbone(videos))
        loss.backward()
        backbone.zero_grad(set_to_none=True)
        return loss.item()

    def distilled() -> float:
        video, clip = backbone.forward_with_reference(videos)
        loss = loss_of(video)
        kept = (1 - F.cosine_similarity(video, clip)).mean()
        (loss + kept).backward()
        backbone.zero_grad(set_to_none=True)
        return loss.item()

    def check(found: dict[str, Any]) -> str:
        values = list(found.values())
        apart = max(values) - min(values)
        assert apart < (1e-5 if args.dtype == 'float32' else 3e-2), found
        return f'the same loss before the first step: {apart:.1e} apart'

    backbone.train()
    name = f'video encoder, step: {args.clip}, {args.batch} videos of {args.frames} frames'
    sides = [
        Side('open_clip, all weights train', full),
        Side('ovmlv, the temporal branch trains', frozen, goal=0.5),
        Side('ovmlv, with distillation from CLIP', distilled, goal=0.55),
    ]
    return Row(name, sides, check, (args.batch, 'videos'))
