"""The full method without its memory of known words: soft tokens alone."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(memory=None, noise=dict(weight=1.0, num_labels=64), gate_width=64))
