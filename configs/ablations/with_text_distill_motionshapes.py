"""The full method with distillation of label embeddings too."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(loss=dict(text_distill=0.1))
