"""Multi-Moments in Time: 219 of its 292 classes are seen, 73 unseen.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_multi_moments.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/multi_moments.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/multi_moments_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
