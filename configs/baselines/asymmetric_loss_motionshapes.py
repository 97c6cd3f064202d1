"""The full method with the asymmetric loss (Ridnik et al., ICCV 2021)."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(loss=dict(base=dict(type='AsymmetricLoss')))
