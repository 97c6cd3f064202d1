"""Whole videos of ActivityNet 1.3: our reading of the paper's method.

8 GPUs, 64 clips a step:

    bash tools/dist_train.sh configs/ovmlv_activitynet.py 8
    bash tools/dist_test.sh configs/ovmlv_activitynet.py work_dirs/ovmlv_activitynet/epoch_30.pth 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/activitynet.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP', rule='greater'))
