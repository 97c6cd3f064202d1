"""The full method without a bias that depends on the label."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(scorer=dict(label_bias=False))
