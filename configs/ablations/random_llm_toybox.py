"""The full method with random weights in place of the LLM's: parameters without knowledge."""

_base_ = ['../ovmlv_toybox.py']

model = dict(head=dict(llm=dict(random_weights=True)))
