"""The full method without dropping labels from CLIP's text at random."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(head=dict(label_dropout=0.0))
