"""Charades with its official files; layout and sources: tools/data/charades/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='CharadesDataset',
    data_root='data/charades',
    class_file='annotations/Charades_v1_classes.txt',
    data_prefix=dict(video='videos'),
    lowercase=True,  # "a video of holding some clothes": a label stands inside a sentence
)
test = dict(**dataset, ann_file='annotations/Charades_v1_test.csv')
train_dataloader = dict(
    dataset=dict(
        **dataset,
        ann_file='annotations/Charades_v1_train.csv',
        # Rows without any action are unlabelled rather than empty; the official mAP ignores them
        # as well.
        drop_unlabeled=True,
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

# mAP_charades follows the official script, in which videos without labels rank below all others.
val_evaluator = dict(type='MultilabelMetric', official_charades=True)
test_evaluator = dict(
    type='MultilabelMetric', official_charades=True, per_class_file='charades_per_class.csv'
)
