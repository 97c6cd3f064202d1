"""THUMOS14 in sliding windows; layout and sources: tools/data/thumos14/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='THUMOS14Dataset',
    data_root='data/thumos14',
    units='window',
    window=8.0,  # twice the mean action, so that most are whole in some window
    stride=4.0,
    overlap_of='shorter',  # an action that is in the window for the most part counts
)
test = dict(**dataset, ann_file='annotations_test', data_prefix=dict(video='videos/test'))
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='annotations_val', data_prefix=dict(video='videos/val'))
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='MultilabelMetric')
test_evaluator = dict(type='MultilabelMetric', per_class_file='thumos14_per_class.csv')
