_base_ = ['./toy_config.py']
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=20, val_interval=6)
train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5))
