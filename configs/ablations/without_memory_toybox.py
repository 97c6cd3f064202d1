"""The full method without its memory of known words, and without the adapter that centres by it."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(memory=None, state_adapter_width=0))
