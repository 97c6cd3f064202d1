"""The full method with a template in place of the LLM."""

_base_ = ['../ovmlv_toybox.py']

clip = dict(model_name='toybox', pretrained='toybox')
model = dict(head=dict(_delete_=True, type='TemplatePromptHead', **clip))
