"""ActivityNet 1.3, labels of whole videos; layout and sources: tools/data/activitynet/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='ActivityNetDataset',
    data_root='data/activitynet',
    ann_file='activity_net.v1-3.min.json',
    data_prefix=dict(video='videos'),
)
test = dict(**dataset, subset='validation')  # the labels of "testing" are withheld
train_dataloader = dict(dataset=dict(**dataset, subset='training'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='MultilabelMetric')
test_evaluator = dict(type='MultilabelMetric', per_class_file='activitynet_per_class.csv')
