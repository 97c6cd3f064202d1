"""HMDB51, split 1 of 3; layout and sources: tools/data/hmdb51/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='HMDB51Dataset',
    data_root='data/hmdb51',
    ann_file='testTrainMulti_7030_splits',
    data_prefix=dict(video='videos'),
    split=1,
)
test = dict(**dataset, subset='test')
train_dataloader = dict(dataset=dict(**dataset, subset='train'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='SingleLabelMetric')
test_evaluator = val_evaluator
