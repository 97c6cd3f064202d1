"""ActivityNet 1.3: 150 of its 200 activities are seen, 50 unseen.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_activitynet.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/activitynet.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/activitynet_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
