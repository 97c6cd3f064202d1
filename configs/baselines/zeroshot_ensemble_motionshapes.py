"""CLIP as it is (Radford et al., ICML 2021): mean of its frames, an ensemble of templates."""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
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
)

# Nothing trains: only the test part is used.
train_cfg = val_cfg = optim_wrapper = param_scheduler = None
train_dataloader = val_dataloader = val_evaluator = None
