"""Open-vocabulary multi-label classification of Charades: our reading of the paper's method.

8 GPUs, 64 videos a step:

    bash tools/dist_train.sh configs/ovmlv_charades.py 8
    bash tools/dist_test.sh configs/ovmlv_charades.py work_dirs/ovmlv_charades/epoch_30.pth 8

Fewer GPUs: add ``--auto-scale-lr``.
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/charades.py',
    '_base_/schedules/adamw_30e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,  # epochs
        max_keep_ckpts=3,
        save_best='multilabel/mAP_charades',  # kept beside the last three
        rule='greater',
    ),
)
