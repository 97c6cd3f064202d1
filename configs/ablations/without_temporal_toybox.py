"""The full method without its temporal branch: the mean of the frozen frames."""

_base_ = ['../ovmlv_toybox.py']

model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
)
