"""VideoPrism's video-text model as it is (Zhao et al., ICML 2024, arXiv 2402.13217), on Charades.

    python tools/test.py configs/dual_encoders/zeroshot_videoprism_charades.py none

Name and frames: transformers' documentation of VideoPrism. The commit is that of the pull request
with the converted weights, as ``mteb`` 2.26 pins it.
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

name = 'transformers:google/videoprism-lvt-base-f16r288@fb6de9f0eb7bc285be86bdca1cf7daa3e3ef51ff'
dual = dict(model_name=name, pretrained=name)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(type='TransformersVideoBackbone', **dual, num_frames=16),
    # Its authors' tokenizer makes texts lower case and ends them with a full stop.
    head=dict(
        type='TemplatePromptHead',
        **dual,
        templates=['{}.', 'a video of {}.', 'a person {}.'],
        background='everyday',
        truncate=True,
    ),
    scorer=dict(type='SigmoidScorer', init_bias='clip', learnable=False),
)

test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=16, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='ResizeFrames', size=288),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(type='TestLoop')
# Nothing trains: only the test part is used.
train_dataloader = val_dataloader = val_evaluator = None
