"""The full method without the gate that keeps soft tokens out of words that CLIP knows."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(head=dict(gate_width=0))
