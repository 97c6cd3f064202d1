"""HVU: 2,357 of its 3,142 tags are seen, 785 unseen, of each category a quarter.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_hvu.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/hvu.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

# 17 tags a clip: about 130 positives in a batch of 8, and as many random others.
model = dict(labels_per_step=256)

label_split = '{{fileDirname}}/../splits/hvu_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

val_evaluator = dict(axes=['split', 'category'])
test_evaluator = val_evaluator

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
