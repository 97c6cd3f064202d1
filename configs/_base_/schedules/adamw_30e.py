"""30 epochs of AdamW in bfloat16, for new modules beside frozen towers."""

max_epochs = 30

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='AmpOptimWrapper',  # on a machine without a GPU tools/train.py takes float32 instead
    dtype='bfloat16',  # has float32's range, so that no loss has to be scaled
    loss_scale=1.0,
    optimizer=dict(
        type='AdamW',
        lr=2e-4,  # of new modules; for the batch size that auto_scale_lr names
        betas=(0.9, 0.98),  # CLIP's own
        weight_decay=0.05,
    ),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,  # decay pulls gains of LayerNorm towards 0, where they mean nothing
        bias_decay_mult=0.0,
        custom_keys={
            'head.readout': dict(lr_mult=5.0, decay_mult=0.0),  # tokens, not weights of a layer
            # Two numbers that everything waits for.
            'scorer': dict(lr_mult=10.0, decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=1.0),  # a batch with a rare label can have a gradient ten times larger
)
param_scheduler = [
    dict(  # two epochs of warming up, while the zero-initialised branches find their direction
        type='LinearLR',
        start_factor=0.01,
        begin=0,
        end=2,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,  # of each group's own rate
        begin=2,
        end=max_epochs,
        T_max=max_epochs - 2,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)  # 8 GPUs x 8 samples
randomness = dict(seed=0)  # figures are to be repeatable
