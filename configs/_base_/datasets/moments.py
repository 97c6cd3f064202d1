"""Moments in Time, one class a clip; layout and sources: tools/data/moments/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(type='MomentsDataset', data_root='data/moments', class_file='moments_categories.txt')
test = dict(**dataset, ann_file='validationSet.csv', data_prefix=dict(video='validation'))
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='trainingSet.csv', data_prefix=dict(video='training'))
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='SingleLabelMetric')
test_evaluator = val_evaluator
