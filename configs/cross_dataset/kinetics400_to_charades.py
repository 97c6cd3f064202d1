"""Trained on Kinetics-400, tested on Charades: several of 157 actions a video, official mAP.

bash tools/dist_train.sh configs/cross_dataset/kinetics400_to_charades.py 8
bash tools/dist_test.sh configs/cross_dataset/kinetics400_to_charades.py work_dirs/kinetics400_to_charades/epoch_10.pth 8
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
        type='CharadesDataset',
        data_root='data/charades',
        ann_file='annotations/Charades_v1_test.csv',
        class_file='annotations/Charades_v1_classes.txt',
        data_prefix=dict(video='videos'),
        lowercase=True,
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='MultilabelMetric', official_charades=True)

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
