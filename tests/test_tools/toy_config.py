custom_imports = dict(imports=['toy_parts'])
model = dict(type='ToyModel')
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
)
val_dataloader = dict(
    batch_size=3,
    num_workers=0,
    dataset=dict(type='ToyDataset', length=7),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=4)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.01))
param_scheduler = dict(type='CosineAnnealingLR', T_max=24, by_epoch=False)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1), logger=dict(type='LoggerHook', interval=2)
)
custom_hooks = [dict(type='StepSeedHook')]
auto_scale_lr = dict(base_batch_size=8)
