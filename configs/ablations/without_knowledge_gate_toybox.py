"""The full method without the gate by what CLIP knows: all labels may move alike."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(knowledge_gate=None))
