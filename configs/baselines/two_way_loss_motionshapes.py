"""The full method with the two-way loss (Kobayashi, CVPR 2023)."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(loss=dict(base=dict(type='TwoWayLoss')))
