"""Tiny towers of every class that open_clip builds."""

import torch

_VIT = dict(image_size=32, layers=3, width=32, head_width=16, patch_size=16)
_CUSTOM = dict(
    qk_norm=True, scale_heads=True, scale_attn_inner=True, scale_attn=True, scale_fc=True
)

VITS = {
    'open_clip': dict(_VIT, ls_init_value=0.1),
    'open_clip_custom': dict(_VIT, block_type='custom', **_CUSTOM),
    'open_clip_mean': dict(_VIT, pool_type='avg', no_ln_pre=True, final_ln_after_pool=True),
    'coca': dict(
        _VIT,
        attentional_pool=True,
        attn_pooler_heads=2,
        attn_pooler_queries=3,
        output_tokens=True,
    ),
    'timm': dict(timm_model_name='test_vit', timm_pool='token', timm_proj='linear'),
    'timm_registers': dict(timm_model_name='test_vit3', timm_pool='map', timm_proj='none'),
    'hybrid': dict(timm_model_name='vit_motionshapes', timm_pool='avg', timm_proj='linear'),
    'eva': dict(timm_model_name='eva02_tiny_patch14_224', timm_pool='token', timm_proj=None),
    'perception': dict(timm_model_name='vit_pe_core_tiny_patch16_384', timm_pool='map'),
}
OTHERS = {
    'resnet': dict(image_size=64, layers=[1, 1, 1, 1], width=16, patch_size=None),
    'convnext': dict(timm_model_name='test_convnext', timm_pool='', timm_proj='linear'),
    'fastvit': dict(timm_model_name='fastvit_mci0', timm_pool='avg', timm_proj=None),
}
SIZES = {'timm': 64, 'timm_registers': 64, 'eva': 28, 'perception': 32, 'resnet': 64}
SIZES.update(hybrid=64, convnext=64, fastvit=64)
TOWERS = {**VITS, **OTHERS}
EMBED_DIMS = {'timm_registers': 96, 'perception': 192}


def videos(tower, batch=2, frames=4):
    """Random videos ``(B, 3, T, H, W)`` of the size that a tower takes."""
    size = SIZES.get(tower, 32)
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(0))
