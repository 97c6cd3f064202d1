"""The full method, tested with its video encoder part of the way back to CLIP."""

_base_ = ['../ovmlv_motionshapes.py']

custom_hooks = [dict(type='WeightPatchHook', ratio=0.7)]
