"""Charades with its official files, laid out as

    data/charades/annotations/Charades_v1_train.csv     (from Charades.zip)
    data/charades/annotations/Charades_v1_test.csv
    data/charades/annotations/Charades_v1_classes.txt
    data/charades/videos/*.mp4                          (from Charades_v1_480.zip)

Both archives are at https://prior.allenai.org/projects/charades.
"""

data_root = 'data/charades'
clip_len = 16  # frames over a whole video of about 30 s: one every two seconds
image_size = 224  # what ViT-B/16 of CLIP was trained on

train_pipeline = [
    dict(type='mmaction.DecordInit', num_threads=1),  # the workers are the parallelism
    # One random frame of each of 16 equal parts: the label of a video may hold anywhere in it.
    dict(type='SampleSegmentFrames', clip_len=clip_len),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.Resize', scale=(-1, 256)),  # short side; a little more than is cropped
    # Not below half of the frame: labels are about small objects in hands.
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(image_size, image_size), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),  # no label of Charades says left or right
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
val_pipeline = [  # one view, for the choice of the best checkpoint
    dict(type='mmaction.DecordInit', num_threads=1),
    dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.CenterCrop', crop_size=image_size),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_pipeline = [  # 4 clips of 3 crops: 12 views, averaged by the model
    dict(type='mmaction.DecordInit', num_threads=1),
    dict(type='SampleSegmentFrames', clip_len=clip_len, num_clips=4, test_mode=True),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.ThreeCrop', crop_size=image_size),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]

dataset = dict(
    type='CharadesDataset',
    data_root=data_root,
    class_file='annotations/Charades_v1_classes.txt',
    data_prefix=dict(video='videos'),
    lowercase=True,  # "a video of holding some clothes": a label stands inside a sentence
)
train_dataloader = dict(
    batch_size=8,  # videos a GPU, 128 frames; see auto_scale_lr of the config
    num_workers=8,  # decoding 480p keeps about one core busy for each video a second
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='annotations/Charades_v1_train.csv',
        pipeline=train_pipeline,
        # Rows without any action are unlabelled rather than empty; the official mAP ignores them
        # as well.
        drop_unlabeled=True,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='annotations/Charades_v1_test.csv',
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,  # of 12 views
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='annotations/Charades_v1_test.csv',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# mAP_charades follows the official script, in which videos without labels rank below all others.
val_evaluator = dict(type='MultilabelMetric', official_charades=True)
test_evaluator = dict(
    type='MultilabelMetric', official_charades=True, per_class_file='charades_per_class.csv'
)
