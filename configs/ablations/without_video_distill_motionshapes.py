"""The full method without distillation of video embeddings."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(loss=dict(video_distill=0.0))
