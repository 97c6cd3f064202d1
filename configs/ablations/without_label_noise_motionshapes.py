"""The full method without disturbed labels: soft tokens learn from the loss on videos alone."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(head=dict(noise=None))
