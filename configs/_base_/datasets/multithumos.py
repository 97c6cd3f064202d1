"""MultiTHUMOS by its per-frame protocol; layout and sources: tools/data/multithumos/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='MultiTHUMOSDataset',
    data_root='data/multithumos',
    ann_file='annotations',
    class_file='class_list.txt',
    # Labels of a moment, seen with a second on either side of it. The mean action takes 3 s.
    units='point',
    window=2.0,
)
test = dict(
    **dataset,
    subset='testing',
    data_prefix=dict(video='../thumos14/videos/test'),
    stride=1.0,  # a finer one changes the mean little and takes longer in proportion
)
train_dataloader = dict(
    dataset=dict(
        **dataset,
        subset='training',
        data_prefix=dict(video='../thumos14/videos/val'),
        stride=1.0,
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='FrameLevelMetric')
test_evaluator = val_evaluator
