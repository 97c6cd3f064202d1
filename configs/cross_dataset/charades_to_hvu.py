"""Trained on Charades, tested on the 3,142 tags of HVU, in six categories.

bash tools/dist_train.sh configs/cross_dataset/charades_to_hvu.py 8
bash tools/dist_test.sh configs/cross_dataset/charades_to_hvu.py work_dirs/charades_to_hvu/epoch_30.pth 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='HVUDataset',
        data_root='data/hvu',
        ann_file='annotations/HVU_Val_V1.0.csv',
        class_file='annotations/HVU_Tags_Categories_V1.0.csv',
        data_prefix=dict(video='videos_val'),
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='MultilabelMetric', axes=['category'])

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_charades', rule='greater'))
