"""Kinetics-600, one action a clip; layout and sources: tools/data/kinetics/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(type='KineticsDataset', data_root='data/kinetics600')
test = dict(
    **dataset,
    ann_file='annotations/kinetics-600_val.csv',
    data_prefix=dict(video='videos_val'),
)
train_dataloader = dict(
    dataset=dict(
        **dataset,
        ann_file='annotations/kinetics-600_train.csv',
        data_prefix=dict(video='videos_train'),
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='SingleLabelMetric')
test_evaluator = val_evaluator
