_base_ = [
    '_base_/models/ovmlv_toybox.py',
    '_base_/datasets/toybox.py',
    '_base_/default_runtime.py',
    '_base_/schedules/adamw_6e_two_cores.py',
]

# A branch beside a tower that is computed once costs little: many epochs.
train_dataloader = dict(batch_size=64)
train_cfg = dict(max_epochs=12, val_interval=12)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(temporal=dict(lr_mult=1.0))))

# Most labels name things, which CLIP knows; those that it does not know weigh more.
default_hooks = dict(label_weight=dict(type='LabelWeightHook', max_weight=10.0))
