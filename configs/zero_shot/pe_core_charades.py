"""Perception Encoder (Bolya et al., 2025), PE-Core-B, tested on Charades: mean of its frames, an ensemble of templates, nothing trained.

ovmlv test ovmlv::zero_shot/pe_core_charades.py --out pe_core_charades.json
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

clip = dict(model_name='PE-Core-B-16', pretrained='meta')  # open_clip's names; downloaded once
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TemporalCLIPBackbone',
        **clip,
        num_frames=16,
        temporal=dict(type='FrameMean'),
        trainable='none',
    ),
    head=dict(
        type='TemplatePromptHead',
        **clip,
        templates=['{}', 'a photo of {}', 'a video of {}', 'footage of {}'],
        background='everyday',  # weights of a softmax: labels are measured from other captions
        truncate=True,  # the context of 32 tokens has room for 30
    ),
    scorer=dict(type='SigmoidScorer', init_bias='clip', learnable=False),
    average_views='score',
    views_per_pass=32,
)

# As these weights were trained: the whole frame is squeezed to a square, and none of it is cut off.
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=16, num_clips=4, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='ResizeFrames', size=224),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# Nothing trains: only the test part is used.
train_cfg = val_cfg = optim_wrapper = param_scheduler = None
train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
