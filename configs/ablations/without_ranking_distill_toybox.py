"""The full method without what holds the order in which known labels put videos."""

_base_ = ['../ovmlv_toybox.py']

model = dict(loss=dict(ranking_distill=0.0))
