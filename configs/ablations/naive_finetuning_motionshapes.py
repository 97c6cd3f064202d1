"""CLIP finetuned at the rate of new modules: ViFi-CLIP without its care, to see what is forgotten."""

_base_ = ['../baselines/vifi_clip_motionshapes.py']

optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=1.0)}))
