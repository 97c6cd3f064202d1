"""YouTube-8M features: 2,854 of its 3,806 named entities are seen, 952 unseen.

python tools/train.py configs/open_vocabulary/seen_unseen_youtube8m.py
"""

_base_ = [
    '../_base_/models/ovmlv_youtube8m.py',
    '../_base_/datasets/youtube8m.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/youtube8m_seen_unseen.json'
train_dataloader = dict(dataset=dict(label_split=label_split, label_set='seen'))
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

val_evaluator = dict(axes=['split'])
test_evaluator = val_evaluator

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_seen', rule='greater'))
auto_scale_lr = dict(enable=False, base_batch_size=128)
