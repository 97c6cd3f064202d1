"""The full method with the last block of CLIP finetuned at a lower rate."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(backbone=dict(trainable=1))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.1)}))
