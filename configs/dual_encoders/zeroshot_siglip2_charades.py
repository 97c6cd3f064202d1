"""SigLIP 2 as it is (Tschannen et al., arXiv 2502.14786): the mean of its frames, on Charades.

    python tools/test.py configs/dual_encoders/zeroshot_siglip2_charades.py none

Name: transformers' documentation of SigLIP 2.
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

name = 'transformers:google/siglip2-base-patch16-224'
dual = dict(model_name=name, pretrained=name)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(type='TransformersVideoBackbone', **dual, num_frames=16),
    head=dict(
        type='TemplatePromptHead',
        **dual,
        templates=['{}', 'a video of {}', 'a person {}'],
        truncate=True,
    ),
    # It was trained with a sigmoid loss, so it comes with a bias.
    scorer=dict(type='SigmoidScorer', init_bias='clip', learnable=False),
)

test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=16, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='ResizeFrames', size=224),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(type='TestLoop')
# Nothing trains: only the test part is used.
train_dataloader = val_dataloader = val_evaluator = None
