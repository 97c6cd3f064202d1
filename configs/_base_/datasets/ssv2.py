"""Something-Something V2; layout and sources: tools/data/ssv2/README.md."""

_base_ = ['../loaders/clips_16x224.py']

dataset = dict(
    type='SSv2Dataset',
    data_root='data/ssv2',
    class_file='labels/labels.json',
    data_prefix=dict(video='20bn-something-something-v2'),
)
test = dict(**dataset, ann_file='labels/validation.json')
train_dataloader = dict(
    dataset=dict(
        **dataset,
        ann_file='labels/train.json',
        # "Pushing something from left to right": no flips.
        pipeline={{_base_.train_pipeline_unflipped}},
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='SingleLabelMetric')
test_evaluator = val_evaluator
