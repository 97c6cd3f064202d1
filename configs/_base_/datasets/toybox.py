"""Toybox, made by ``python tools/data/toybox/generate_videos.py``."""

data_root = 'data/toybox'
clip_len = 8
image_size = (64, 64)

train_pipeline = [
    # The same frames every epoch: decoded once, and the frozen part of the tower computed once.
    dict(
        type='CacheFrames',
        folder=f'{data_root}/cache',
        transforms=[
            dict(type='VideoInit'),
            dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True),
            dict(type='VideoDecode'),
            dict(type='mmaction.Resize', scale=image_size, keep_ratio=False, interpolation='area'),
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
    dict(type='mmaction.Resize', scale=image_size, keep_ratio=False, interpolation='area'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]

dataset = dict(
    type='MultilabelVideoDataset',
    data_root=data_root,
    label_split='annotations/classes.json',
    data_prefix=dict(video='videos'),
)
train_dataloader = dict(
    batch_size=32,
    # Small videos come from the worker as one tensor. (Runner looks this name up in no scope.)
    collate_fn=dict(type='ovmlv.packed_collate'),
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='annotations/train.jsonl',
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
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
# Things drawn by a hand that neither the tiny CLIP nor training ever saw.
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='annotations/test_held_out.jsonl',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# A class with fewer than three positives gives an average precision that is mostly noise.
val_evaluator = dict(
    type='MultilabelMetric',
    min_positives=3,
    axes=['split', 'kind', 'words', 'group', 'read'],
    group_metrics=['mAP', 'ECE'],
)
test_evaluator = val_evaluator
