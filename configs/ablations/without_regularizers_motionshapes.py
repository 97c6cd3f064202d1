"""The full method with nothing that holds it at CLIP."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(noise=None),
    loss=dict(video_distill=0.0, text_distill=0.0, similarity_distill=0.0, weight_l2=0.0),
)
