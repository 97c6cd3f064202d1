"""ViFi-CLIP (Rasheed et al., CVPR 2023): the mean of the frames, CLIP finetuned."""

_base_ = ['../ovmlv_toybox.py']

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(
    backbone=dict(
        temporal=dict(_delete_=True, type='FrameMean'),
        trainable=4,  # all blocks; the convolutional stem before them stays as it is
    ),
    head=dict(_delete_=True, type='TemplatePromptHead', **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)

# A step costs several times that of a frozen tower: fewer videos a step, and the time is the same.
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=1, val_interval=1)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.1)}))
