"""YouTube-8M, features of whole videos; layout and sources: tools/data/youtube8m/README.md."""

pipeline = [
    dict(type='LoadRecordFeatures', features=['rgb', 'audio']),  # 1024 + 128 channels
    dict(type='PackMultilabelInputs'),
]
dataset = dict(
    type='YouTube8MDataset',
    data_root='data/youtube8m',
    class_file='vocabulary.csv',
    scan_dir='scans',  # 6.1 million records are read once, not at each start
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=128,  # a vector each
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file='video/train*.tfrecord'),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='video/validate*.tfrecord', test_mode=True),
)
# The labels of the test shards are withheld.
test_dataloader = val_dataloader

val_evaluator = dict(type='MultilabelMetric', axes=[], extra=['GAP', 'hit'])
test_evaluator = val_evaluator
