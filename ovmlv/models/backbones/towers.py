"""Image towers as a chain: embedding, blocks, head.

The frozen parts at the start of the chain run once for features and reference, may be cached, and
need no gradient. Vision transformers of open_clip and timm show their blocks; any other tower is
one piece.
"""

from __future__ import annotations

from typing import Any

from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer as OpenClipViT
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import Tensor, nn

from ovmlv.models.temporal.block_parts import BlockParts
from ovmlv.models.utils.frozen import freeze, freeze_tensors
from ovmlv.models.utils.weight_watch import tensors_of


def as_tower(visual: nn.Module) -> Tower:
    """View open_clip's image tower as a chain. The view holds no weights and is cheap to make."""
    if type(visual) is OpenClipViT:
        return _OpenClipTower(visual)
    if isinstance(visual, TimmModel):
        trunk = visual.trunk
        # A subclass with a forward of its own, or a grid known only from the image, is one piece.
        if isinstance(trunk, TimmViT) and type(trunk).forward_features is TimmViT.forward_features:
            return _TimmTower(visual)
        if (
            isinstance(trunk, Eva)
            and not trunk.dynamic_img_size
            and not getattr(trunk, 'patch_drop', None)
        ):
            return _EvaTower(visual)
    return Tower(visual)


class Tower:
    """A tower in one piece: it has no blocks, and its head is the whole tower.

    Attributes:
        blocks: The blocks, in order.
        name: Name of the tower in messages.
        grid_size: Rows and columns of the tokens, which are the last ones of a block.
    """

    head_names: frozenset[str] = frozenset()
    blocks_name = ''

    def __init__(self, visual: nn.Module) -> None:
        self.visual: Any = visual  # of open_clip or timm
        self.name = type(getattr(visual, 'trunk', visual)).__name__
        self.blocks: nn.ModuleList | nn.Sequential = nn.ModuleList()
        self.width = 0
        self.has_class_token = False
        self.grid_size = (0, 0)

    def embed(self, images: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` to the first block's tokens ``(B, N, D)``."""
        return images

    def head(self, tokens: Tensor) -> Tensor:
        """The last block's tokens to embeddings ``(B, E)``."""
        return self.visual(tokens)

    def parts(self, index: int) -> BlockParts:
        """The two halves of block ``index``."""
        return BlockParts(self.blocks[index], self.rope(index))

    def run(self, index: int, tokens: Tensor) -> Tensor:
        """Run block ``index``."""
        return self.blocks[index](tokens, **self.block_kwargs(index))

    def rope(self, index: int) -> Tensor | None:
        """Rotary embedding that block ``index`` is called with."""
        return None

    def block_kwargs(self, index: int) -> dict[str, Any]:
        """Arguments that block ``index`` is called with beside the tokens."""
        return {}

    def drops_patches(self) -> bool:
        """Whether training drops patches, different ones in each frame."""
        return False

    def prefix_tensors(self, num_blocks: int) -> list[Tensor]:
        """Parameters and buffers of the embedding and the first blocks."""
        later = {id(t) for t in tensors_of(*list(self.blocks)[num_blocks:])}
        found = []
        for name, tensor in (*self.visual.named_parameters(), *self.visual.named_buffers()):
            if name.removeprefix('trunk.').split('.')[0] not in self.head_names:
                found += [tensor] if id(tensor) not in later else []
        return found

    def freeze(self, num_blocks: int) -> None:
        """Freeze the embedding and the first blocks; the others and the head stay as they are."""
        owners = [self.visual, getattr(self.visual, 'trunk', self.visual)]
        for owner in dict.fromkeys(owners):
            for name, child in owner.named_children():
                if name not in self.head_names | {self.blocks_name, 'trunk'}:
                    freeze(child)
            own = {
                name
                for name, _ in (
                    *owner.named_parameters(recurse=False),
                    *owner.named_buffers(recurse=False),
                )
            }
            freeze_tensors(owner, own - self.head_names)
        for block in list(self.blocks)[:num_blocks]:
            freeze(block)


class _OpenClipTower(Tower):
    head_names = frozenset({'ln_post', 'proj', 'attn_pool', 'attn_pool_contrastive'})
    blocks_name = 'transformer'

    def __init__(self, visual: OpenClipViT) -> None:
        super().__init__(visual)
        self.blocks = visual.transformer.resblocks
        self.width = visual.transformer.width
        self.has_class_token = True
        self.grid_size = tuple(visual.grid_size)

    def embed(self, images: Tensor) -> Tensor:
        return self.visual._embeds(images)

    def head(self, tokens: Tensor) -> Tensor:
        pooled, _ = self.visual._pool(tokens)
        return pooled if self.visual.proj is None else pooled @ self.visual.proj

    def drops_patches(self) -> bool:
        return not isinstance(self.visual.patch_dropout, nn.Identity)


class _TimmTower(Tower):
    head_names = frozenset({'norm', 'fc_norm', 'attn_pool', 'head_drop', 'head'})
    blocks_name = 'blocks'

    def __init__(self, visual: TimmModel) -> None:
        super().__init__(visual)
        self.trunk = visual.trunk
        self.blocks = self.trunk.blocks
        self.width = self.trunk.embed_dim
        self.has_class_token = getattr(self.trunk, 'cls_token', None) is not None
        self.grid_size = tuple(self.trunk.patch_embed.grid_size)

    def embed(self, images: Tensor) -> Tensor:
        trunk = self.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(images))))

    def head(self, tokens: Tensor) -> Tensor:
        return self.visual.head(self.trunk.forward_head(self.trunk.norm(tokens)))

    def drops_patches(self) -> bool:
        return not isinstance(self.trunk.patch_drop, nn.Identity)


class _EvaTower(_TimmTower):
    """EVA and Perception Encoder, whose blocks are given rotary embeddings."""

    def embed(self, images: Tensor) -> Tensor:
        trunk = self.trunk
        return trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images))[0])

    def rope(self, index: int) -> Tensor | None:
        rope = self.trunk.rope
        if rope is None:
            return None
        known = hasattr(rope, 'feat_shape')
        table = (
            rope.get_embed() if known else rope.get_embed(shape=self.trunk.patch_embed.grid_size)
        )
        return table[index] if getattr(self.trunk, 'rope_mixed', False) else table

    def block_kwargs(self, index: int) -> dict[str, Any]:
        return {'rope': self.rope(index)}

    def drops_patches(self) -> bool:
        return False  # see as_tower
