"""The full method with states of a fixed sentence: only what reads them learns."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(head=dict(readout=dict(type='StaticReadout')))
