"""Holistic Video Understanding, 3,142 tags of six categories: our reading of the paper's method.

8 GPUs, 64 clips a step:

    bash tools/dist_train.sh configs/ovmlv_hvu.py 8
    bash tools/dist_test.sh configs/ovmlv_hvu.py work_dirs/ovmlv_hvu/epoch_10.pth 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/hvu.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

# 17 tags a clip: about 130 positives in a batch of 8, and as many random others.
model = dict(labels_per_step=256)

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP', rule='greater'))
