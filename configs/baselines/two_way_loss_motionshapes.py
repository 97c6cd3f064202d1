"""The full method with the two-way loss (Kobayashi, CVPR 2023)."""

_base_ = ['../ovmlv_motionshapes.py']

# At the start its gradient is a hundred times that of the cross entropy, beside which the weights
# of the other losses were chosen.
model = dict(loss=dict(base=dict(type='TwoWayLoss'), loss_weight=0.01))
