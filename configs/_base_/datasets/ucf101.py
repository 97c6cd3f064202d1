"""UCF101, split 1 of 3; layout and sources: tools/data/ucf101/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='UCF101Dataset',
    data_root='data/ucf101',
    class_file='ucfTrainTestlist/classInd.txt',
    data_prefix=dict(video='UCF-101'),
)
test = dict(**dataset, ann_file='ucfTrainTestlist/testlist01.txt')
train_dataloader = dict(dataset=dict(**dataset, ann_file='ucfTrainTestlist/trainlist01.txt'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='SingleLabelMetric')
test_evaluator = val_evaluator
