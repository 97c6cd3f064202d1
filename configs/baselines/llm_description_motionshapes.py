"""Sentences that the LLM writes about each label, encoded by CLIP
(Menon and Vondrick, ICLR 2023).

Sentences are kept in the user's cache folder; writing them takes some minutes once.
"""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    head=dict(_delete_=True, type='LLMDescriptionHead', llm=dict(name='smollm2'), **clip),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)

# Nothing trains: only the test part is used.
train_cfg = val_cfg = optim_wrapper = param_scheduler = None
train_dataloader = val_dataloader = val_evaluator = None
