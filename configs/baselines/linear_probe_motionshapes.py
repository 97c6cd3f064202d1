"""A linear probe on the frozen CLIP: the mean of the frames, one trained map of the labels."""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    head=dict(_delete_=True, type='LinearProbeHead', **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)
