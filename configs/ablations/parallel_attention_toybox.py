"""The full method with temporal attention beside the spatial attention of two blocks.

That is our reading of the paper; it takes the place of a branch beside the tower.
"""

_base_ = ['../ovmlv_toybox.py']

model = dict(
    backbone=dict(
        temporal=dict(
            _delete_=True,
            type='ParallelTemporalAttention',
            blocks='last-2',
            num_heads=8,
            position_scale=1.0,
            # Starting from a zero projection learns at once where a zero gate hesitates.
            zero_init='proj',
        ),
    ),
)

# A step costs twenty times that of a branch beside the tower: fewer videos a step.
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=3, val_interval=3)
