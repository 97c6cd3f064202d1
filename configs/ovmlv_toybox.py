_base_ = [
    '_base_/models/ovmlv_toybox.py',
    '_base_/datasets/toybox.py',
    '_base_/default_runtime.py',
    '_base_/schedules/adamw_6e_two_cores.py',
]

# Most labels name things, which CLIP knows; those that it does not know weigh more.
default_hooks = dict(label_weight=dict(type='LabelWeightHook', max_weight=10.0))
