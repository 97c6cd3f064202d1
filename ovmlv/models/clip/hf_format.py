"""Renaming of transformers' ``CLIPModel`` to the names of open_clip."""

from __future__ import annotations

import torch
from torch import Tensor

_PREFIXES = (
    ('vision_model.embeddings.class_embedding', 'visual.class_embedding'),
    ('vision_model.embeddings.patch_embedding.', 'visual.conv1.'),
    ('vision_model.embeddings.position_embedding.weight', 'visual.positional_embedding'),
    ('vision_model.pre_layrnorm.', 'visual.ln_pre.'),  # the typo is theirs
    ('vision_model.encoder.layers.', 'visual.transformer.resblocks.'),
    ('vision_model.post_layernorm.', 'visual.ln_post.'),
    ('text_model.embeddings.token_embedding.', 'token_embedding.'),
    ('text_model.embeddings.position_embedding.weight', 'positional_embedding'),
    ('text_model.encoder.layers.', 'transformer.resblocks.'),
    ('text_model.final_layer_norm.', 'ln_final.'),
    ('visual_projection.weight', 'visual.proj'),
    ('text_projection.weight', 'text_projection'),
    ('logit_scale', 'logit_scale'),
)
_INSIDE_BLOCKS = (
    ('.self_attn.out_proj.', '.attn.out_proj.'),
    ('.layer_norm1.', '.ln_1.'),
    ('.layer_norm2.', '.ln_2.'),
    ('.mlp.fc1.', '.mlp.c_fc.'),
    ('.mlp.fc2.', '.mlp.c_proj.'),
)
_TRANSPOSED = ('visual_projection.weight', 'text_projection.weight')


def is_transformers_clip(state: dict[str, Tensor]) -> bool:
    """Whether a state dict is of a ``CLIPModel`` or of one of its towers with projection."""
    return any(
        key in state
        for key in (
            'vision_model.pre_layrnorm.weight',
            'text_model.embeddings.token_embedding.weight',
        )
    ) and not any(key.startswith('vision_model.head.') for key in state)


def from_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename, transpose projections, and join queries, keys and values of each attention.

    Names that have no counterpart stay as they are, so that the loader refuses them.
    """
    out: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if key.endswith('position_ids'):
            continue
        name = _rename(key)
        for letter in 'qkv':
            if f'.self_attn.{letter}_proj.' in name:
                joint = name.replace(f'.self_attn.{letter}_proj.', '.attn.in_proj_')
                parts.setdefault(joint, {})[letter] = tensor
                break
        else:
            out[name] = tensor.T.contiguous() if key in _TRANSPOSED else tensor
    for name, part in parts.items():
        out[name] = torch.cat([part[letter] for letter in 'qkv' if letter in part])
    return out


def _rename(key: str) -> str:
    for old, new in _PREFIXES:
        if key.startswith(old):
            key = new + key[len(old) :]
            break
    for old, new in _INSIDE_BLOCKS:
        key = key.replace(old, new)
    return key
