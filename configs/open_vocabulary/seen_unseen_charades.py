"""Charades: 118 of its 157 actions are seen, 39 unseen.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_charades.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/charades_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
