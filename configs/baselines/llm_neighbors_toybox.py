"""Words that CLIP never read, by the known words that SmolLM2 holds for near; nothing trains."""

_base_ = ['../ovmlv_toybox.py']

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(
    backbone=dict(temporal=dict(_delete_=True, type='FrameMean'), trainable='none'),
    head=dict(
        _delete_=True,
        type='LLMNeighborHead',
        llm=dict(name='smollm2'),
        known_words='data/toybox/annotations/classes.json',
        known_splits=['seen', 'unseen'],
        **clip,
    ),
    loss=dict(_delete_=True, type='RegularizedMultilabelLoss'),
)

# Nothing trains: only the test part is used.
train_cfg = val_cfg = optim_wrapper = param_scheduler = None
train_dataloader = val_dataloader = val_evaluator = None
