"""Blocks taken apart compute what they compute whole; temporal modules equal plain loops."""

import pytest
import torch
from open_clip.transformer import CustomResidualAttentionBlock, ResidualAttentionBlock
from timm.layers import RotaryEmbeddingCat
from timm.models.eva import EvaBlock, EvaBlockPostNorm
from timm.models.vision_transformer import Block, ParallelScalingBlock
from torch import nn
from torch.nn import functional as F

from ovmlv.errors import ConfigError
from ovmlv.models.temporal import (
    BlockParts,
    CrossFrameMessage,
    NeighborFrameAttention,
    ParallelTemporalAttention,
)

WIDTH, HEADS, TOKENS, FRAMES, BATCH = 32, 4, 5, 4, 2
CUSTOM = dict(scale_heads=True, scale_attn_inner=True, scale_attn=True, scale_fc=True)
EVA = dict(norm_layer=nn.LayerNorm)
BLOCKS = {
    'open_clip': lambda: ResidualAttentionBlock(WIDTH, HEADS, ls_init_value=0.3),
    'open_clip_custom': lambda: CustomResidualAttentionBlock(
        WIDTH, HEADS, qk_norm=True, ls_init_value=0.3, **CUSTOM
    ),
    'timm': lambda: Block(WIDTH, HEADS, qkv_bias=True, init_values=0.3),
    'timm_norms': lambda: Block(
        WIDTH, HEADS, qk_norm=True, scale_attn_norm=True, norm_layer=nn.LayerNorm
    ),
    'eva': lambda: EvaBlock(WIDTH, HEADS, init_values=0.3, scale_attn_inner=True, **EVA),
    'eva_separate': lambda: EvaBlock(
        WIDTH, HEADS, qkv_fused=False, gated_attn=True, swiglu_mlp=True, **EVA
    ),
    'eva_rope': lambda: EvaBlock(WIDTH, HEADS, attn_type='rope', **EVA),
    'eva_grouped': lambda: EvaBlock(
        WIDTH, HEADS, attn_type='rope', qkv_fused=False, num_kv_heads=2, **EVA
    ),
    'eva_post_norm': lambda: EvaBlockPostNorm(WIDTH, HEADS, **EVA),
}


def make(name):
    torch.manual_seed(0)
    block = BLOCKS[name]().eval()
    for parameter in block.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    rope = None
    if name.startswith('eva'):  # a grid of 2 x 2 behind one prefix token
        rope = RotaryEmbeddingCat(WIDTH // HEADS, feat_shape=[2, 2], in_pixels=False).get_embed()
    return block, BlockParts(block, rope)


def whole(block, parts, x):
    return block(x) if parts.rope is None else block(x, rope=parts.rope)


def tokens(frames=FRAMES):
    return torch.randn(BATCH * frames, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def softmax_attention(q, k, v):
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


@pytest.mark.parametrize('name', list(BLOCKS))
@torch.no_grad()
def test_halves_make_the_whole(name):
    block, parts = make(name)
    x = tokens()
    expected = whole(block, parts, x)
    for core in (None, softmax_attention):
        y = x + parts.attend(x, core)
        torch.testing.assert_close(y + parts.feed_forward(y), expected, atol=1e-5, rtol=1e-5)


def test_unknown_blocks_are_refused():
    with pytest.raises(ConfigError, match='ParallelScalingBlock'):
        BlockParts(ParallelScalingBlock(WIDTH, HEADS))
    cosine = CustomResidualAttentionBlock(WIDTH, HEADS, scale_cosine_attn=True)
    BlockParts(cosine)
    with pytest.raises(ConfigError, match='use ParallelTemporalAttention'):
        NeighborFrameAttention(WIDTH, 1, FRAMES).check(BlockParts(cosine))


@pytest.mark.parametrize('name', list(BLOCKS))
@pytest.mark.parametrize('frames', [1, FRAMES, 6])
@torch.no_grad()
def test_parallel_attention_equals_a_loop(name, frames):
    """Over videos, positions, heads and frames."""
    block, parts = make(name)
    module = ParallelTemporalAttention(
        WIDTH, 1, FRAMES, width_ratio=0.5, num_heads=2, gate='channel', gate_init=0.7
    ).eval()
    branch = module.branches['0']
    for parameter in branch.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    x = tokens(frames)
    positions = branch.positions.weight
    if frames != FRAMES:
        at = torch.linspace(0, FRAMES - 1, frames) if frames > 1 else torch.zeros(1)
        low = at.floor().long().clamp(max=FRAMES - 2)
        part = (at - low)[:, None]
        positions = positions[low] * (1 - part) + positions[low + 1] * part
    added = torch.zeros_like(x).unflatten(0, (BATCH, frames))
    for b in range(BATCH):
        for n in range(TOKENS):
            line = x.unflatten(0, (BATCH, frames))[b, :, n]
            h = F.layer_norm(line, (WIDTH,), branch.norm.weight, branch.norm.bias) + positions
            q, k, v = (h @ branch.qkv.weight.T + branch.qkv.bias).chunk(3, dim=-1)
            heads = []
            for i in range(2):
                cut = slice(8 * i, 8 * i + 8)
                for t in range(frames):
                    weights = (k[:, cut] @ q[t, cut] / 8**0.5).softmax(0)
                    heads.append(weights @ v[:, cut])
            joined = torch.cat([torch.stack(heads[:frames]), torch.stack(heads[frames:])], dim=1)
            added[b, :, n] = branch.gate * (joined @ branch.proj.weight.T + branch.proj.bias)
    middle = x + parts.attend(x) + added.flatten(0, 1)
    expected = middle + parts.feed_forward(middle)
    actual = module(x, frames, 0, parts)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    assert (actual - whole(block, parts, x)).abs().max() > 1e-2


@pytest.mark.parametrize('frames', [1, 2, 5])
@pytest.mark.parametrize('reach', [1, 2])
@torch.no_grad()
def test_neighbor_frames_equal_a_loop(frames, reach):
    """PyTorch's own attention on the neighbours that exist, frame by frame."""
    block, parts = make('open_clip')
    module = NeighborFrameAttention(
        WIDTH, 1, FRAMES, reach=reach, gate_init=1.0, learn_gate=False
    ).eval()
    half = NeighborFrameAttention(WIDTH, 1, FRAMES, reach=reach, gate_init=0.5).eval()
    x = tokens(frames)
    added = torch.zeros_like(x)
    for b in range(BATCH):
        clip = block.ln_1(x[b * frames : (b + 1) * frames])
        for t in range(frames):
            near = torch.cat(list(clip[max(0, t - reach) : t + reach + 1]))[None]
            y = block.attn(clip[t][None], near, near, need_weights=False)[0]
            added[b * frames + t] = block.ls_1(y)[0]
    middle = x + added
    expected = middle + parts.feed_forward(middle)
    torch.testing.assert_close(module(x, frames, 0, parts), expected, atol=1e-5, rtol=1e-5)
    middle = x + (added + parts.attend(x)) / 2
    expected = middle + parts.feed_forward(middle)
    torch.testing.assert_close(half(x, frames, 0, parts), expected, atol=1e-5, rtol=1e-5)
    assert not list(module.parameters()) and len(list(half.parameters())) == 1


@pytest.mark.parametrize('has_class_token', [True, False])
@torch.no_grad()
def test_messages_equal_an_appended_token(has_class_token):
    """X-CLIP appends the message to the frame's tokens and drops it behind the attention."""
    block, parts = make('open_clip')
    module = CrossFrameMessage(
        WIDTH, 1, FRAMES, has_class_token=has_class_token, num_heads=2, gate_init=1.0
    ).eval()
    branch = module.branches['0']
    for parameter in (*branch.write.parameters(), *branch.exchange.parameters()):
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    x = tokens()
    for b in range(BATCH):
        clip = x[b * FRAMES : (b + 1) * FRAMES]
        messages = []
        for t in range(FRAMES):
            sender = clip[t, 0] if has_class_token else clip[t].mean(0)
            messages.append(branch.write(sender))
        messages = torch.stack(messages)
        normed = branch.norm(messages)
        exchanged = branch.exchange(normed[None], normed[None], normed[None])[0][0]
        messages = messages + exchanged
        longer = torch.cat([clip, messages[:, None]], dim=1)
        middle = (longer + block.ls_1(block.attention(block.ln_1(longer))))[:, :-1]
        expected = middle + parts.feed_forward(middle)
        actual = module(x, FRAMES, 0, parts)[b * FRAMES : (b + 1) * FRAMES]
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', list(BLOCKS))
@torch.no_grad()
def test_modules_of_keys_and_values_fit_every_block(name):
    """One frame and no message is the block itself; a message changes it."""
    block, parts = make(name)
    x = tokens(1)
    near = NeighborFrameAttention(WIDTH, 1, FRAMES, gate_init=1.0)
    torch.testing.assert_close(near(x, 1, 0, parts), whole(block, parts, x), atol=1e-5, rtol=1e-5)
    message = CrossFrameMessage(WIDTH, 1, FRAMES, num_heads=2, gate_init=1.0)
    assert (message(x, 1, 0, parts) - whole(block, parts, x)).abs().max() > 1e-3
