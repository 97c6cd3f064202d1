"""What the modules that act inside blocks share: the choice of blocks, and how they are called."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from ovmlv.errors import ConfigError

from .block_parts import BlockParts


class BaseBlockTemporal(BaseModule):
    """A temporal module inside chosen blocks of a vision transformer.

    Contract: ``module(x, num_frames, index, parts)`` runs block ``index`` (one of
    ``module.blocks``) on tokens ``(B * T, N, D)`` and returns tokens of the same shape. At
    initialisation, with its default gate, it gives the same as the plain block. The module owns the
    new weights and none of the block's.

    Args:
        width: D of the tower; given by the backbone, like the next three.
        depth: Number of blocks of the tower.
        num_frames: T of training; another T works at any time.
        has_class_token: Whether the tower's first token is a class token.
        blocks: Blocks to act in: 'all', 'last-k', 'every-k' (counted from the last), k (the last
            k), or indices.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> from ovmlv.models.temporal import BaseBlockTemporal
        >>> class WithoutTime(BaseBlockTemporal):
        ...     def forward(self, x, num_frames, index, parts):
        ...         x = x + parts.attend(x)
        ...         return x + parts.feed_forward(x)
        >>> WithoutTime(width=64, depth=12, num_frames=8).blocks  # 'last-4' of 12
        (8, 9, 10, 11)
    """

    level = 'block'

    def __init__(
        self,
        width: int,
        depth: int,
        num_frames: int,
        has_class_token: bool = True,
        blocks: str | int | Sequence[int] = 'last-4',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.width = width
        self.num_frames = num_frames
        self.has_class_token = has_class_token
        self.blocks = select_blocks(blocks, depth)

    def check(self, parts: BlockParts) -> None:
        """Raise `ConfigError` if a block cannot take this module."""

    @abstractmethod
    def forward(self, x: Tensor, num_frames: int, index: int, parts: BlockParts) -> Tensor:
        """Run block ``index`` together with this module.

        Args:
            x: ``(B * T, N, D)`` tokens; the frames of a video follow each other.
            num_frames: T.
            index: Number of the block.
            parts: The block.

        Returns:
            ``(B * T, N, D)``
        """


def select_blocks(blocks: str | int | Sequence[int], depth: int) -> tuple[int, ...]:
    """Indices of the blocks that ``blocks`` means, ascending.

    Examples:
        >>> from ovmlv.models.temporal import select_blocks
        >>> select_blocks('last-2', 12), select_blocks('every-4', 12), select_blocks([0, -1], 12)
        ((10, 11), (3, 7, 11), (0, 11))
    """
    chosen: tuple[int, ...] = ()
    if blocks == 'all':
        chosen = tuple(range(depth))
    elif isinstance(blocks, str):
        found = re.fullmatch(r'(last|every)-(\d+)', blocks)
        if found and int(found[2]):
            k = min(int(found[2]), depth)  # the default fits shallow towers too
            chosen = tuple(
                range(depth - k, depth) if found[1] == 'last' else range(depth - 1, -1, -k)
            )
    elif isinstance(blocks, int) and not isinstance(blocks, bool):
        chosen = tuple(range(depth - blocks, depth)) if 0 < blocks <= depth else ()
    elif isinstance(blocks, Sequence) and all(
        isinstance(i, int) and -depth <= i < depth for i in blocks
    ):
        chosen = tuple({int(i) % depth for i in blocks})
    if not chosen:
        raise ConfigError(
            f"temporal.blocks={blocks!r} selects none of the tower's {depth} blocks; use 'all', "
            f"'last-k', 'every-k', k or indices, with k from 1 to {depth}"
        )
    return tuple(sorted(chosen))
