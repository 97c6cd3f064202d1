"""Sliding windows over THUMOS14: our reading of the paper's method.

8 GPUs, 64 clips a step:

    bash tools/dist_train.sh configs/ovmlv_thumos14.py 8
    bash tools/dist_test.sh configs/ovmlv_thumos14.py work_dirs/ovmlv_thumos14/epoch_10.pth 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/thumos14.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP', rule='greater'))
