"""CoOp (Zhou et al., IJCV 2022): a learnable context in front of the label, all else CLIP."""

_base_ = ['../ovmlv_toybox.py']

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    head=dict(_delete_=True, type='CoOpPromptHead', **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)
