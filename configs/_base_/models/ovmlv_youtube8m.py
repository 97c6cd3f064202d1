"""The label side of the method on the published features of YouTube-8M, in place of a video tower.

There is no CLIP for ``video_distill`` to stay close to.
"""

_base_ = ['ovmlv_vit_b16.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='FeatureBackbone',
        in_channels=1152,  # rgb and audio
        embed_dim=512,  # that of ViT-B/16
        hidden=2048,
    ),
    loss=dict(video_distill=0.0),
    labels_per_step=256,  # a batch of 128 has some 200 different labels
)
