"""A frozen VideoPrism, and what is trained on top of it: adapter, soft tokens of an LLM, scorer.

    bash tools/dist_train.sh configs/dual_encoders/videoprism_prompts_charades.py 8

VideoPrism encodes time itself, so there is no temporal module; both its sides stay frozen.
"""

_base_ = [
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

name = 'transformers:google/videoprism-lvt-base-f16r288@fb6de9f0eb7bc285be86bdca1cf7daa3e3ef51ff'
dual = dict(model_name=name, pretrained=name)
model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TransformersVideoBackbone',
        **dual,
        num_frames=16,
        adapter_width=256,
        trainable='temporal',
    ),
    head=dict(
        type='LLMPromptHead',
        **dual,
        template='a video of {}.',
        llm=dict(name='HuggingFaceTB/SmolLM2-1.7B'),
        llm_dtype='bfloat16',
        readout=dict(type='PrefixReadout', num_tokens=16, grad_checkpointing=True),
        prompter=dict(type='PromptingTransformer', width=512, num_heads=8, num_layers=2),
        grad_checkpointing=True,
    ),
    scorer=dict(type='SigmoidScorer', init_scale='clip', init_bias='prior'),
    loss=dict(
        type='RegularizedMultilabelLoss',
        base=dict(type='MultilabelBCELoss'),
        video_distill=1.0,
        text_distill=1.0,
    ),
    labels_per_step=96,
)

frames = [
    dict(type='VideoDecode'),
    dict(type='ResizeFrames', size=288),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=16),
    *frames,
]
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=16, test_mode=True),
    *frames,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'head.readout': dict(lr_mult=5.0, decay_mult=0.0),
            'scorer': dict(lr_mult=10.0, decay_mult=0.0),
        }
    )
)
