"""The full method with CoOp in place of the LLM."""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(head=dict(_delete_=True, type='CoOpPromptHead', **clip))
