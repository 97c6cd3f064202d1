"""Trained on Charades, tested on the verbs and nouns of EPIC-KITCHENS-100.

bash tools/dist_train.sh configs/cross_dataset/charades_to_epic_kitchens.py 8
bash tools/dist_test.sh configs/cross_dataset/charades_to_epic_kitchens.py work_dirs/charades_to_epic_kitchens/epoch_30.pth 8
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
        type='EPICKitchensDataset',
        data_root='data/epic_kitchens',
        ann_file='annotations/EPIC_100_validation.csv',
        verb_file='annotations/EPIC_100_verb_classes.csv',
        noun_file='annotations/EPIC_100_noun_classes.csv',
        data_prefix=dict(video='EPIC-KITCHENS'),
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='MultilabelMetric', axes=['kind'])

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_charades', rule='greater'))
