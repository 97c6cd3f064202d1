"""Moments in Time: 229 of its 305 classes are seen, 76 unseen.

bash tools/dist_train.sh configs/open_vocabulary/seen_unseen_moments.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/moments.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/moments_seen_unseen.json'
# Without drop_unlabeled, videos of unseen classes would be negatives of all seen ones.
train_dataloader = dict(
    dataset=dict(label_split=label_split, label_set='seen', drop_unlabeled=True)
)
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='acc/top1_seen', rule='greater'))
