"""DualCoOp (Sun et al., NeurIPS 2022): a positive and a negative learnable context, two-way softmax,
asymmetric loss.
"""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    # The negative context starts from words that the tiny CLIP has read.
    head=dict(_delete_=True, type='DualCoOpPromptHead', negative_template='a photo of {}', **clip),
    # CLIP's own bias belongs to one similarity, not to a difference of two.
    scorer=dict(init_bias='prior'),
    loss=dict(
        _delete_=True,
        type='RegularizedMultilabelLoss',
        base=dict(type='AsymmetricLoss', gamma_neg=2.0, gamma_pos=1.0, clip=0.05),
    ),
)

# Two contexts that start nearly alike must come apart in few steps; at 2e-3 they do not.
optim_wrapper = dict(
    optimizer=dict(lr=1e-2),
    paramwise_cfg=dict(custom_keys=dict(scorer=dict(lr_mult=2.0, decay_mult=0.0))),
)
