"""The tiny CLIP as it is: mean of its frames, one template, nothing trained."""

_base_ = [
    '_base_/models/ovmlv_toybox.py',
    '_base_/datasets/toybox.py',
    '_base_/default_runtime.py',
]

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    head=dict(_delete_=True, type='TemplatePromptHead', templates=['a video of {}'], **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)

test_cfg = dict(type='TestLoop')
# Only the test part is used; without a val_cfg, mmengine wants no validation data either.
val_dataloader = None
val_evaluator = None
train_dataloader = None
