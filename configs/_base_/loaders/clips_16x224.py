"""How every real data set is fed: 16 frames of 224 pixels, from a video or from a part of it.

A file of ``_base_/datasets/`` adds what it reads (``dataset``) and the metrics.
"""

clip_len = 16  # frames over the whole sample: one every two seconds of a video of 30 s
image_size = 224  # what ViT-B/16 of CLIP was trained on

train_pipeline = [
    dict(type='VideoInit'),  # one thread a video: the workers are the parallelism
    # One random frame of each of 16 equal parts: the label of a video may hold anywhere in it.
    dict(type='SampleSegmentFrames', clip_len=clip_len),
    dict(type='VideoDecode'),
    dict(type='mmaction.Resize', scale=(-1, 256)),  # short side; a little more than is cropped
    # Not below half of the frame: labels are about small objects in hands, too.
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(image_size, image_size), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
# For data sets whose labels tell left from right: pipeline={{_base_.train_pipeline_unflipped}}
train_pipeline_unflipped = [t for t in train_pipeline if t['type'] != 'mmaction.Flip']
val_pipeline = [  # one view, for the choice of the best checkpoint
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.CenterCrop', crop_size=image_size),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_pipeline = [  # 4 clips of 3 crops: 12 views, averaged by the model
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=clip_len, num_clips=4, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.ThreeCrop', crop_size=image_size),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]

train_dataloader = dict(
    batch_size=8,  # videos a GPU, 128 frames; see auto_scale_lr of the schedule
    num_workers=8,  # decoding 480p keeps about one core busy for each video a second
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=val_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=1,  # of 12 views
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)
