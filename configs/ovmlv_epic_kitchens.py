"""EPIC-KITCHENS-100, 97 verbs and 300 nouns: our reading of the paper's method.

8 GPUs, 64 segments a step:

    bash tools/dist_train.sh configs/ovmlv_epic_kitchens.py 8
    bash tools/dist_test.sh configs/ovmlv_epic_kitchens.py work_dirs/ovmlv_epic_kitchens/epoch_30.pth 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/epic_kitchens.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP', rule='greater'))
