"""The neighbours by a language model with random weights: what the method finds without knowledge."""

_base_ = ['llm_neighbors_toybox.py']

model = dict(head=dict(llm=dict(random_weights=True)))
