"""A tiny model like PE-AV's side of videos, with random weights, trained on MotionShapes.

Its weights are drawn from a fixed seed, so that it shows how such a model is trained by a config
alone; both sides of a published one are named in their place (``model_name``, ``pretrained``).
"""

_base_ = ['../_base_/datasets/motionshapes.py', '../_base_/default_runtime.py']

dual = dict(
    model_type='pe_video',
    text_config=dict(
        hidden_size=64, intermediate_size=128, num_attention_heads=4, num_hidden_layers=2
    ),
    video_config=dict(
        hidden_size=64,
        intermediate_size=128,
        num_attention_heads=4,
        head_dim=16,
        num_hidden_layers=2,
        vision_config=dict(
            model_type='timm_wrapper',
            architecture='vit_pe_core_tiny_patch16_384',
            model_args=dict(img_size=64, embed_dim=64, depth=2, num_heads=4),
            num_labels=64,
        ),
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
