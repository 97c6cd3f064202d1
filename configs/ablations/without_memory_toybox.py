"""The full method without its memory of known words, and without what centres states by it."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(memory=None, state_adapter_width=0, label_doubt=None))
