"""Moments in Time, 305 classes: our reading of the paper's method.

8 GPUs, 64 clips a step:

    bash tools/dist_train.sh configs/ovmlv_moments.py 8
    bash tools/dist_test.sh configs/ovmlv_moments.py work_dirs/ovmlv_moments/epoch_10.pth 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/moments.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
