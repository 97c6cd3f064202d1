"""An attentive probe on the frozen CLIP: a transformer over its frames, one template."""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(
        temporal=dict(_delete_=True, type='FrameTransformer', num_layers=2, num_heads=4),
    ),
    head=dict(_delete_=True, type='TemplatePromptHead', **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)
