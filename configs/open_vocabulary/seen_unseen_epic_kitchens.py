"""EPIC-KITCHENS-100: 298 of its 397 verbs and nouns are seen, 99 unseen, a quarter of each.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_epic_kitchens.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/epic_kitchens.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/epic_kitchens_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

val_evaluator = dict(axes=['split', 'kind'])
test_evaluator = val_evaluator

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
