"""The full method with all blocks of CLIP finetuned at a lower rate."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(backbone=dict(trainable=4))  # all blocks; the stem before them stays

# A step costs several times that of a frozen tower, and the time is the same.
train_cfg = dict(max_epochs=2, val_interval=2)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.1)}))
