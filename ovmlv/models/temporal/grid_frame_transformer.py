"""A transformer over frames that still knows where in a frame something is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.spare_directions import SpareDirections
from ovmlv.registry import MODELS

from .frame_mean import mean_of_frames
from .positions import TemporalPositions
from .pre_norm_layers import pre_norm_layers


@MODELS.register_module()
class GridFrameTransformer(BaseModule):
    """Mean over frames of ``z``, plus ``|mean| W(Transformer(grid + pos))``: a branch beside the
    tower (*ours*, not the paper's).

    A frame is the tokens of one block, averaged over the cells of a coarse grid and written one
    behind the other; a transformer reads the frames in their order. What a cell saw in a few frames
    is added, the strongest of all cells, so that a movement is the same wherever it is. So motion
    is seen where a mean over the picture has lost it (:class:`.FrameTransformer`), and nothing
    inside the tower changes, so that a frozen tower is computed once a video. Frozen towers with a
    light branch beside them are those of EVL (Lin et al., ECCV 2022) and Side4Video (Yao et al.,
    2023).

    It starts at the mean, since W is zero.

    Args:
        embed_dim: E; given by the backbone, like the next three.
        num_frames: T of training; another T works at any time.
        token_width: D of the tower.
        token_grid: Rows and columns of the tower's tokens.
        block: Block whose input is read; negative numbers count from the end.
        grid_size: Rows and columns of the coarse grid; a tower with fewer keeps its own.
        motion_channels: Channels of a cell in the windows of frames; with 0, there are none.
        window: Frames of a window, an odd number.
        width: Width of the transformer.
        num_layers: Number of its layers.
        num_heads: Number of heads; None takes one for each 32 channels.
        mlp_ratio: Width of a layer's MLP over the transformer's.
        dropout: Dropout inside the layers.
        position_scale: Root mean square of the sinusoids that the learnable positions start from.
        kept_share: What the branch adds lies in :class:`.SpareDirections` of this share alone
            (ours); :class:`.LabelWeightHook` fits them. With None, it may lie anywhere.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from ovmlv.models.temporal import GridFrameTransformer
        >>> branch = GridFrameTransformer(
        ...     embed_dim=64, num_frames=4, token_width=32, token_grid=(8, 8), width=64
        ... )
        >>> frames = torch.rand(2, 6, 64)  # 2 videos of 6 frames: not the number of training
        >>> cells = branch.cells(torch.rand(2 * 6, 1 + 64, 32))  # a class token and 8 x 8 others
        >>> cells.shape  # 4 x 4 cells of 32 channels
        torch.Size([12, 512])
        >>> video = branch(frames, cells.unflatten(0, (2, 6)))
        >>> torch.allclose(video, frames.mean(1), atol=1e-5)  # it starts at the mean
        True
    """

    level = 'grid'

    def __init__(
        self,
        embed_dim: int,
        num_frames: int,
        token_width: int,
        token_grid: tuple[int, int],
        block: int = -2,
        grid_size: int = 4,
        motion_channels: int = 64,
        window: int = 5,
        width: int = 256,
        num_layers: int = 2,
        num_heads: int | None = None,
        mlp_ratio: float = 2.0,
        dropout: float = 0.1,
        position_scale: float = 0.3,
        kept_share: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        heads = num_heads or max(1, width // 32)
        if width % heads:
            raise ConfigError(
                f'temporal.num_heads={heads} does not divide width={width}; choose a divisor'
            )
        if grid_size < 1:
            raise ConfigError(f'temporal.grid_size={grid_size} must be at least 1')
        if motion_channels < 0 or window < 1 or not window % 2:
            raise ConfigError(
                f'temporal.motion_channels={motion_channels} must not be negative, and '
                f'temporal.window={window} must be odd'
            )
        grid_size = min(grid_size, *token_grid)
        self.block = block
        self.register_buffer('pooling', _pooling(token_grid, grid_size), persistent=False)
        self.norm = nn.LayerNorm(token_width)
        self.read = nn.Linear(grid_size**2 * token_width, width)
        self.motion = (
            _CellMotion(token_width, motion_channels, window, width) if motion_channels else None
        )
        self.positions = TemporalPositions(num_frames, width, position_scale)
        self.layers = pre_norm_layers(width, num_layers, heads, mlp_ratio, dropout)
        self.write = nn.Linear(width, embed_dim)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)
        self.spare = None if kept_share is None else SpareDirections(embed_dim, kept_share)

    def learn_known(self, text: Tensor, known: Tensor) -> None:
        """Hear CLIP's embeddings of labels ``(C, E)``, and how well it knows each, ``(C,)``."""
        if self.spare is not None:
            self.spare.fit(text, known)

    def cells(self, tokens: Tensor) -> Tensor:
        """Average a block's tokens ``(N, 1 + H * W, D)`` over the grid ``-> (N, G * G * D)``.

        Whatever stands before the last ``H * W`` tokens, such as a class token, is left out.
        """
        tokens = tokens[:, -self.pooling.shape[1] :]
        return (self.pooling.to(tokens.dtype) @ tokens).flatten(1)

    def forward(self, frames: Tensor, cells: Tensor) -> Tensor:
        """Join frames ``(B, T, E)`` and their cells ``(B, T, G * G * D)`` ``-> (B, E)``."""
        mean = mean_of_frames(frames)
        y = self.layers(self.embed(cells))
        change = self.write(y.mean(1))
        if self.spare is not None:
            change = self.spare(change)
        # The length of embeddings differs between towers; a step shall not.
        return mean + mean.detach().norm(dim=-1, keepdim=True) * change

    def embed(self, cells: Tensor) -> Tensor:
        """What the first layer reads of cells ``(B, T, G * G * D) -> (B, T, width)``."""
        width = self.norm.normalized_shape[0]
        y = self.norm(cells.unflatten(-1, (-1, width)).to(self.norm.weight.dtype))
        x = self.read(y.flatten(2)) + self.positions(cells.shape[1])
        return x if self.motion is None else x + self.motion(y)


class _CellMotion(nn.Module):
    """What each cell sees in a window of frames, and of that the strongest in the picture."""

    def __init__(self, token_width: int, channels: int, window: int, width: int) -> None:
        super().__init__()
        self.window = window
        self.inner = nn.Linear(token_width, channels)
        self.over_time = nn.Linear(window * channels, 2 * channels)
        self.outer = nn.Linear(2 * channels, width)

    def forward(self, cells: Tensor) -> Tensor:
        """Read ``(B, T, cells, D) -> (B, T, width)``; there is nothing before and after a clip."""
        num_frames, reach = cells.shape[1], self.window // 2
        y = F.pad(F.gelu(self.inner(cells)), (0, 0, 0, 0, reach, reach))
        windows = torch.cat([y[:, i : i + num_frames] for i in range(self.window)], dim=-1)
        return self.outer(F.gelu(self.over_time(windows)).amax(2))


def _pooling(token_grid: tuple[int, int], size: int) -> Tensor:
    """Weights ``(G * G, H * W)`` of the average over cells; adaptive, so that any grid fits."""
    rows, columns = token_grid
    each = torch.eye(rows * columns).unflatten(1, (rows, columns))
    return F.adaptive_avg_pool2d(each[:, None], size).flatten(1).T.contiguous()
