"""Open-VCLIP (Weng et al., ICML 2023): frames see their neighbours, CLIP is finetuned with
interpolated weights, the steps' weights are averaged, and half of the way back to CLIP is taken.
"""

_base_ = ['../ovmlv_toybox.py']

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(
    backbone=dict(
        temporal=dict(
            _delete_=True,
            type='NeighborFrameAttention',
            blocks='all',
            gate_init=1.0,
            learn_gate=False,
        ),
        trainable=4,  # all blocks; the convolutional stem before them stays as it is
    ),
    head=dict(
        _delete_=True,
        type='TemplatePromptHead',
        # What the tiny CLIP's captions looked like.
        templates=[
            '{}',
            'a photo of {}',
            'a video of {}',
            'a picture of {}',
            'there is {} here',
        ],
        **clip,
    ),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
    interpolation=dict(type='InterpolatedWeights', weight=0.5, max_alpha=0.6),
)
custom_hooks = [
    dict(type='EMAHook', ema_type='StochasticWeightAverage', interval=5),
    dict(type='WeightPatchHook', ratio=0.5),
]

# A step costs several times that of a frozen tower: fewer videos a step, and the time is the same.
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=1, val_interval=1)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.visual': dict(lr_mult=0.1)}))
