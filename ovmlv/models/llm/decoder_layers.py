"""The layers of a decoder of transformers, wherever its family keeps them."""

from __future__ import annotations

from torch import nn

_NORMS = (
    'norm',
    'ln_f',
    'final_layer_norm',
    'final_layernorm',
    'final_norm',
    'norm_f',
    'layer_norm',
)


def inner_decoder(decoder: nn.Module) -> nn.Module:
    """The module that owns the layers; OPT wraps its decoder once more."""
    return getattr(decoder, 'decoder', decoder)


def find_layers(decoder: nn.Module) -> tuple[nn.ModuleList, nn.Module, str, str | None] | None:
    """Blocks, their owner, and the names of final norm and output projection; None if unknown."""
    owner = inner_decoder(decoder)
    for blocks in ('layers', 'h', 'blocks'):  # LLaMA, Qwen, Mistral, OPT / GPT-2, Bloom / MPT
        layers = getattr(owner, blocks, None)
        if not isinstance(layers, nn.ModuleList):
            continue
        for norm in _NORMS:
            if isinstance(getattr(owner, norm, None), nn.Module):
                return layers, owner, norm, 'project_out' if hasattr(owner, 'project_out') else None
    return None
