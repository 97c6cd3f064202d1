"""The full method whose labels move by soft tokens alone: without the adapter, which is ours."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(state_adapter_width=0))
