"""At initialisation a video's embedding is the mean of open_clip's frame embeddings."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.clip.architecture import SHIPPED
from tests.test_models.test_backbones.tiny_towers import OTHERS, TOWERS, VITS, videos

BLOCK_LEVEL = ('ParallelTemporalAttention', 'NeighborFrameAttention', 'CrossFrameMessage')
GRID_LEVEL = ('GridFrameTransformer',)
FRAME_LEVEL = ('FrameTransformer', 'FrameMean', None)


def mean_of_frames(visual, x):
    frames = visual(x.transpose(1, 2).flatten(0, 1))
    frames = frames[0] if isinstance(frames, tuple) else frames
    return frames.unflatten(0, (x.shape[0], x.shape[2])).mean(1)


@pytest.mark.parametrize(
    'name', ['ViT-B-32', 'ViT-B-16-quickgelu', 'ViT-B-16-SigLIP', 'RN50', 'EVA02-B-16']
)
@torch.no_grad()
@pytest.mark.slow
def test_named_architectures_against_open_clip(name):
    size = 32 if 'ViT' in name else 56 if 'EVA' in name else 64
    torch.manual_seed(0)
    model = open_clip.create_model(name, force_image_size=size).eval()
    x = torch.randn(2, 3, 3, size, size, generator=torch.Generator().manual_seed(1))
    frames = model.encode_image(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (2, 3))
    del model
    kind = 'FrameTransformer' if name == 'RN50' else 'ParallelTemporalAttention'
    torch.manual_seed(0)  # the same random weights
    backbone = TemporalCLIPBackbone(name, image_size=size, num_frames=4, temporal=dict(type=kind))
    backbone.eval()
    video, reference = backbone.forward_with_reference(x)
    tolerance = 1e-5 * min(1.0, frames.abs().max().item())  # EVA's layers start near zero
    torch.testing.assert_close(backbone.encode_frames(x), frames, atol=tolerance, rtol=0)
    torch.testing.assert_close(video, frames.mean(1), atol=tolerance, rtol=0)
    torch.testing.assert_close(reference, frames.mean(1), atol=tolerance, rtol=0)


@torch.no_grad()
def test_shipped_clip_against_open_clip():
    """open_clip itself builds the shipped architecture and reads the shipped weights."""
    config = json.loads((SHIPPED / 'motionshapes.json').read_text())
    config['text_cfg'].pop('tokenizer_kwargs')
    model = open_clip.CLIP(**config).eval()
    state = load_file(SHIPPED / 'motionshapes.safetensors')
    model.load_state_dict(state)
    x = videos('hybrid', frames=5)
    frames = model.encode_image(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (2, 5))
    backbone = TemporalCLIPBackbone('motionshapes', 'motionshapes').train()
    video, reference = backbone.forward_with_reference(x)
    torch.testing.assert_close(video, frames.mean(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reference, frames.mean(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('tower', list(TOWERS))
@torch.no_grad()
def test_every_tower_with_every_module(build, tower):
    """Any number of frames, also by way of cached tokens, in training mode too."""
    modules = FRAME_LEVEL + (BLOCK_LEVEL + GRID_LEVEL if tower in VITS else ())
    for module in modules:
        backbone = build(tower, module)
        for frames in (1, 3, 4, 6) if module == BLOCK_LEVEL[0] or tower == 'open_clip' else (3,):
            x = videos(tower, frames=frames)
            expected = mean_of_frames(backbone.visual, x)
            backbone.train()
            video, reference = backbone.forward_with_reference(x)
            torch.testing.assert_close(video, expected, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(reference, expected, atol=1e-5, rtol=1e-5)
            tokens = backbone.frozen_prefix(x)
            assert torch.equal(backbone.forward_from(tokens, frames), backbone(x))
            assert len(tokens) == 2 * frames and not tokens.requires_grad
            assert backbone.encode_frames(x).shape == (2, frames, backbone.embed_dim)


@pytest.mark.parametrize('tower', list(VITS))
def test_cached_tokens_give_the_same_after_training(build, tower):
    """Gates off zero: tokens from before the first live block still give the same embedding."""
    x = videos(tower)
    for module in BLOCK_LEVEL:
        backbone = build(tower, dict(type=module, gate_init=0.5, blocks=[-1]))
        tokens = backbone.frozen_prefix(x)
        video, reference = backbone.forward_with_reference(x)
        assert torch.equal(backbone.forward_from(tokens, 4), video)
        assert torch.equal(backbone.forward_from(tokens[:4], 4), video[:1]) or torch.allclose(
            backbone.forward_from(tokens[:4], 4), video[:1], atol=1e-5
        )
        expected = mean_of_frames(backbone.visual, x)
        torch.testing.assert_close(reference, expected, atol=1e-5, rtol=1e-5)
        assert (video - reference).abs().max() > 1e-4  # time matters
        if module != 'NeighborFrameAttention':
            still = x[:, :, :1].expand_as(x)
            order = torch.tensor([3, 2, 1, 0])
            reversed_ = backbone(x[:, :, order])
            if module == 'ParallelTemporalAttention':  # it knows the order of frames
                assert (reversed_ - video).abs().max() > 1e-5
            assert torch.isfinite(backbone(still)).all()


@pytest.mark.parametrize('tower', list(OTHERS))
def test_block_level_modules_need_blocks(build, tower):
    for module in BLOCK_LEVEL:
        with pytest.raises(ValueError, match=r'temporal: .* use FrameTransformer or FrameMean'):
            build(tower, module)


def test_finetuned_towers_keep_their_reference(build):
    for tower in ('open_clip', 'hybrid', 'eva', 'resnet'):
        x = videos(tower)
        for trainable in ('all',) if tower == 'resnet' else ('all', 1):
            kind = 'FrameTransformer' if tower == 'resnet' else 'ParallelTemporalAttention'
            backbone = build(tower, kind, trainable=trainable)
            backbone.eval()
            start = mean_of_frames(backbone.visual, x).detach()
            with torch.no_grad():
                for parameter in backbone.parameters():
                    if parameter.requires_grad:
                        parameter.add_(0.05 * torch.randn_like(parameter))
            backbone.train()
            video, reference = backbone.forward_with_reference(x)
            torch.testing.assert_close(reference, start, atol=1e-5, rtol=1e-5)
            assert (video - reference).abs().max() > 1e-3
            assert not any('reference' in key for key in backbone.state_dict())
