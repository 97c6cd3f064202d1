"""Multi-Moments in Time; layout and sources: tools/data/moments/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='MomentsDataset',
    data_root='data/multi_moments',
    class_file='mmit_categories.txt',
    data_prefix=dict(video='videos'),
)
test = dict(**dataset, ann_file='validationSet.csv')
train_dataloader = dict(dataset=dict(**dataset, ann_file='trainingSet.csv'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

# Its authors report macro mAP and the top-1 and top-5 hit rates.
val_evaluator = dict(type='MultilabelMetric', topk=(3, 5), extra=['hit'])
test_evaluator = val_evaluator
