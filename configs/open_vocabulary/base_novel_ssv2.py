"""Something-Something V2, base-to-novel as in ViFi-CLIP: 87 base (seen), 87 novel (unseen).

bash tools/dist_train.sh configs/open_vocabulary/base_novel_ssv2.py 8
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/ssv2.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

label_split = '{{fileDirname}}/../splits/ssv2_base_novel.json'
# Without drop_unlabeled, videos of unseen classes would be negatives of all seen ones.
train_dataloader = dict(
    dataset=dict(label_split=label_split, label_set='seen', drop_unlabeled=True)
)
val_dataloader = dict(dataset=dict(label_split=label_split))
test_dataloader = val_dataloader

# Not by unseen labels: there are none to choose by in practice.
default_hooks = dict(checkpoint=dict(save_best='acc/top1_seen', rule='greater'))
