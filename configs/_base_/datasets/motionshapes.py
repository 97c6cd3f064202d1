"""MotionShapes, made by ``python tools/data/motionshapes/generate_videos.py``."""

data_root = 'data/motionshapes'
clip_len = 8

train_pipeline = [
    # The same frames every epoch: decoded once, and the frozen part of the tower computed once.
    dict(
        type='CacheFrames',
        folder=f'{data_root}/cache',
        transforms=[
            dict(type='VideoInit'),
            dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True),
            dict(type='VideoDecode'),
        ],
    ),
    # No flips: they would turn "moving left" into "moving right".
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]

dataset = dict(
    type='MultilabelVideoDataset',
    data_root=data_root,
    label_split='annotations/classes.json',
)
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='annotations/train.jsonl',
        data_prefix=dict(video='videos'),
        label_set='seen',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='annotations/val.jsonl',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='annotations/test.jsonl',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# A class with fewer than three positives gives an average precision that is mostly noise.
val_evaluator = dict(
    type='MultilabelMetric',
    min_positives=3,
    axes=['split', 'kind'],
    group_metrics=['mAP', 'ECE'],
)
test_evaluator = val_evaluator
