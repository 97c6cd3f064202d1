"""The full method without what holds the similarities of a video."""

_base_ = ['../ovmlv_toybox.py']

model = dict(loss=dict(similarity_distill=0.0))
