"""YouTube-8M, 3,806 named entities: the label side of the method on the published features.

The features take the place of the video tower, so there is no CLIP for ``video_distill`` to stay
close to. Videos by their ids: ``source='video'`` of :class:`YouTube8MDataset`, with the pipelines of
``_base_/loaders/clips_16x224.py``. One GPU, or several:

    python tools/train.py configs/ovmlv_youtube8m.py
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/youtube8m.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

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
optim_wrapper = dict(
    # There is no CLIP tower to finetune carefully.
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'head.readout': dict(lr_mult=5.0, decay_mult=0.0),
            'scorer': dict(lr_mult=10.0, decay_mult=0.0),
        }
    )
)
default_hooks = dict(checkpoint=dict(save_best='multilabel/GAP@20', rule='greater'))
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=128)
