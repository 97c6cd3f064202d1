"""Six short epochs of AdamW, for a frozen tiny CLIP on two cores."""

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    # Scale and bias have far to go, and steps of Adam are as long as the learning rate.
    paramwise_cfg=dict(
        custom_keys=dict(
            scorer=dict(lr_mult=10.0, decay_mult=0.0),
            temporal=dict(lr_mult=1.5),
        )
    ),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=40, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0, convert_to_iter_based=True),
]
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=32)
