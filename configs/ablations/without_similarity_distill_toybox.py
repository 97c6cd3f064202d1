"""The full method with nothing that holds what CLIP knows."""

_base_ = ['../ovmlv_toybox.py']

model = dict(loss=dict(similarity_distill=0.0))
