"""MobileCLIP 2 (Faghri et al., 2025), B, tested on Charades: mean of its frames, an ensemble of templates, nothing trained.

ovmlv test ovmlv::zero_shot/mobileclip2_charades.py --out mobileclip2_charades.json
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

clip = dict(model_name='MobileCLIP2-B', pretrained='dfndr2b')  # open_clip's names; downloaded once
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
        truncate=True,
    ),
    scorer=dict(type='SigmoidScorer', init_bias='clip', learnable=False),
    average_views='score',
    views_per_pass=32,
)

# Nothing trains: only the test part is used.
train_cfg = val_cfg = optim_wrapper = param_scheduler = None
train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
