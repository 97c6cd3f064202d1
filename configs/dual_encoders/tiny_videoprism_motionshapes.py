"""A tiny VideoPrism with random weights, trained on MotionShapes.

Its weights are drawn from a fixed seed, so that it shows how such a model is trained by a config
alone; both sides of a published one are named in their place (``model_name``, ``pretrained``).
"""

_base_ = ['../_base_/datasets/motionshapes.py', '../_base_/default_runtime.py']

dual = dict(
    model_type='videoprism',
    vision_config=dict(
        image_size=64,
        tubelet_size=[1, 16, 16],
        num_frames=8,
        hidden_size=64,
        intermediate_size=128,
        num_attention_heads=4,
        num_spatial_layers=2,
        num_temporal_layers=1,
        num_auxiliary_layers=1,
    ),
    text_config=dict(
        hidden_size=64, intermediate_size=128, num_attention_heads=4, num_hidden_layers=1
    ),
)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TransformersVideoBackbone',
        model_name=dual,
        num_frames=8,
        adapter_width=32,
        trainable='all',
    ),
    head=dict(type='CoOpPromptHead', model_name=dual, template='a video of {}'),
    scorer=dict(type='SigmoidScorer', init_scale=3.0, label_bias=True),
    loss=dict(type='RegularizedMultilabelLoss', video_distill=0.01),
)

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(scorer=dict(lr_mult=25.0, decay_mult=0.0))),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.5, end=5, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0, convert_to_iter_based=True),
]
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=32)
