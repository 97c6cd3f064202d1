"""PE-AV's side of videos as it is (Meta's Perception Encoder Audiovisual), on Charades.

    python tools/test.py configs/dual_encoders/zeroshot_pe_av_charades.py none

Name and commit: ``mteb`` 2.26. The image tower of all sizes is PE-Core L/14 with 336 pixels
(facebookresearch/perception_models, ``core/audio_visual_encoder/config.py``). Meta's code reads
ModernBERT's first token before its last norm, transformers 5.23 behind it, and so does this.
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

name = 'transformers:facebook/pe-av-small-16-frame@9f888eea95c83622212bb742e91bf01d3b46fe96'
dual = dict(model_name=name, pretrained=name)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(type='TransformersVideoBackbone', **dual, num_frames=16),
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
    dict(type='SampleSegmentFrames', clip_len=16, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='ResizeFrames', size=336),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(type='TestLoop')
# Nothing trains: only the test part is used.
train_dataloader = val_dataloader = val_evaluator = None
