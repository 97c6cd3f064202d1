"""X-CLIP as it is (Ni et al., ECCV 2022, arXiv 2208.02816), on Charades.

    python tools/test.py configs/dual_encoders/zeroshot_xclip_charades.py none

Name and commit: ``mteb`` 2.26. Its prompts of a video on the side of texts are left out, since a
label's embedding must not depend on the video.
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

name = 'transformers:microsoft/xclip-base-patch32@a2e27a78a2b5d802e894b8a1ef14f3a8ce490963'
dual = dict(model_name=name, pretrained=name)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(type='TransformersVideoBackbone', **dual, num_frames=8),
    head=dict(
        type='TemplatePromptHead',
        **dual,
        templates=['{}', 'a video of {}', 'a person {}'],
        background='everyday',
        truncate=True,
    ),
    scorer=dict(type='SigmoidScorer', init_bias='clip', learnable=False),
)

test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=8, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(type='TestLoop')
# Nothing trains: only the test part is used.
train_dataloader = val_dataloader = val_evaluator = None
