"""Charades with all of CLIP's image tower finetuned, which is an ablation of ours.

Quoted of Gupta et al. (arXiv 2407.09073) is a frozen tower; see ``ovmlv_charades.py``.
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(trainable='all'))  # held by video_distill

# 5e-6: the usual rate to finetune CLIP with.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.025)}))

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_charades', rule='greater'))
