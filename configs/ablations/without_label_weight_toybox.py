"""The full method with the same weight for every label."""

_base_ = ['../ovmlv_toybox.py']

default_hooks = dict(label_weight=dict(max_weight=1.0))
