"""The full method with interpolated-weight regularisation (Open-VCLIP) too."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(interpolation=dict(type='InterpolatedWeights', weight=0.5, max_alpha=0.6))
