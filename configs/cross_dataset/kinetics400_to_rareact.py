"""Trained on Kinetics-400, tested on unusual actions (RareAct has no training set); layout:
tools/data/rareact/README.md.

    bash tools/dist_train.sh configs/cross_dataset/kinetics400_to_rareact.py 8
    bash tools/dist_test.sh configs/cross_dataset/kinetics400_to_rareact.py work_dirs/kinetics400_to_rareact/epoch_10.pth 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RareActDataset',
        data_root='data/rareact',
        ann_file='rareact.csv',
        data_prefix=dict(video='videos'),
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='MultilabelMetric')

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
