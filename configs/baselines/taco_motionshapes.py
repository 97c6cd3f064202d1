"""After TACO (Zhu et al., arXiv 2606.25478): the mean of the frames, CLIP finetuned with relative
structure distillation, and a projection that only training sees.
"""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(
        temporal=dict(_delete_=True, type='ProjectedFrameMean', hidden=32),
        trainable=4,  # all blocks; the convolutional stem before them stays as it is
    ),
    head=dict(_delete_=True, type='TemplatePromptHead', **clip),
    loss=dict(
        _delete_=True, type='RegularizedMultilabelLoss', structure_distill=0.4, num_anchors=200
    ),
)

# A step costs several times that of a frozen tower, and the time is the same.
train_cfg = dict(max_epochs=3, val_interval=3)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.1)}))
