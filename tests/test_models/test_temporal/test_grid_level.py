"""The branch beside the tower: what it reads, and that caching and finetuning do not change it."""

import pytest
import torch

from ovmlv.errors import ConfigError
from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.temporal import GridFrameTransformer


def branch(**kwargs):
    torch.manual_seed(0)
    module = GridFrameTransformer(
        **{**dict(embed_dim=12, num_frames=4, token_width=6, token_grid=(8, 8), width=32), **kwargs}
    )
    torch.nn.init.normal_(module.write.weight, std=0.1)
    return module.eval()


@pytest.mark.parametrize('grid', [(8, 8), (7, 5), (3, 9), (2, 2)])
def test_cells_are_means_over_the_places(grid):
    """Against torch's adaptive average; tokens before the grid are left out."""
    module = branch(token_grid=grid)
    tokens = torch.randn(3, 2 + grid[0] * grid[1], 6)
    picture = tokens[:, 2:].transpose(1, 2).unflatten(2, grid)
    size = min(4, *grid)
    expected = torch.nn.functional.adaptive_avg_pool2d(picture, size).flatten(2).transpose(1, 2)
    torch.testing.assert_close(module.cells(tokens), expected.flatten(1), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_it_tells_order_and_place():
    module = branch()
    frames = torch.randn(1, 4, 12).expand(2, 4, 12)
    cells = torch.randn(1, 4, 16 * 6)
    swapped = cells.unflatten(-1, (16, 6)).flip(2).flatten(2)
    for other in (cells.flip(1), swapped):
        video = module(frames, torch.cat([cells, other]))
        assert (video[0] - video[1]).abs().max() > 1e-3
    # A step has the length of the embedding: ten times the frames give ten times the video.
    torch.testing.assert_close(module(10 * frames[:1], cells), 10 * module(frames[:1], cells))


@torch.no_grad()
@pytest.mark.parametrize('num_frames', [1, 4, 7])
def test_windows_are_a_convolution_over_time(num_frames):
    """Against torch's convolution of each cell, and its maximum over cells."""
    motion = branch(window=3).motion
    cells = torch.randn(2, num_frames, 16, 6)
    inner = torch.nn.functional.gelu(motion.inner(cells))
    kernel = motion.over_time.weight.unflatten(1, (3, -1)).transpose(1, 2)
    series = inner.permute(0, 2, 3, 1).flatten(0, 1)  # one for each cell: (B * 16, channels, T)
    found = torch.nn.functional.conv1d(series, kernel, motion.over_time.bias, padding=1)
    strongest = torch.nn.functional.gelu(found).unflatten(0, (2, 16)).amax(1).transpose(1, 2)
    torch.testing.assert_close(motion(cells), motion.outer(strongest), atol=1e-5, rtol=1e-4)
    moved = cells[:, :, torch.randperm(16)]
    torch.testing.assert_close(motion(moved), motion(cells), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_video_does_not_see_the_others():
    module = branch()
    frames, cells = torch.randn(3, 4, 12), torch.randn(3, 4, 16 * 6)
    together = module(frames, cells)
    for i in range(3):
        torch.testing.assert_close(module(frames[i : i + 1], cells[i : i + 1])[0], together[i])


def trained(trainable, **kwargs):
    torch.manual_seed(0)
    temporal = dict(type='GridFrameTransformer', width=32, dropout=0.0, block=-2)
    backbone = TemporalCLIPBackbone(
        'motionshapes', 'motionshapes', trainable=trainable, temporal=temporal, **kwargs
    )
    torch.nn.init.normal_(backbone.temporal.write.weight, std=0.1)
    return backbone


@pytest.mark.parametrize('trainable', [1, 2, 3, 'all', 'none'])
def test_what_trains_does_not_change_what_is_read(trainable):
    videos = torch.randn(2, 3, 5, 64, 64)
    frozen, other = trained('temporal'), trained(trainable)
    other.temporal.load_state_dict(frozen.temporal.state_dict())
    expected, reference = frozen.forward_with_reference(videos)
    assert (expected - reference).abs().max() > 1e-2
    video, same = other.eval().forward_with_reference(videos)
    torch.testing.assert_close(video, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(same, reference, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other.encode_frames(videos).mean(1), reference, atol=1e-5, rtol=1e-5)
    if trainable not in ('none', 1):  # the branch reads the input of the last but one block
        video.sum().backward()
        names = [n for n, p in other.visual.named_parameters() if p.grad is not None]
        assert any('blocks.2' in name or 'blocks.1' in name for name in names)


def test_cached_cells_give_the_same_video_and_gradient():
    videos = torch.randn(3, 3, 4, 64, 64)
    plain, cached = trained('temporal').train(), trained('temporal', prefix_cache=8).train()
    for _ in range(2):
        results = []
        for backbone in (plain, cached):
            backbone.zero_grad()
            video, reference = backbone.forward_with_reference(videos)
            video.square().sum().backward()
            gradients = [p.grad.clone() for p in backbone.temporal.parameters()]
            results.append([video, reference, *gradients])
        for a, b in zip(*results, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert cached.prefix_cache.hits == cached.prefix_cache.misses == 3


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(motion_channels=-1), 'motion_channels=-1 must not be negative'),
        (dict(num_heads=5), 'num_heads=5 does not divide width=256'),
        (dict(grid_size=0), 'grid_size=0 must be at least 1'),
        (dict(window=4), 'window=4 must be odd'),
        (dict(block=4), "block=4 is none of the tower's 4 blocks; use -4..3"),
    ],
)
def test_what_does_not_fit(config, message):
    with pytest.raises(ConfigError, match=message):
        TemporalCLIPBackbone(
            'motionshapes', None, temporal=dict(type='GridFrameTransformer', **config)
        )
