"""The full method with untrained neighbours in place of the prompted LLM."""

_base_ = ['../ovmlv_motionshapes.py']

clip = dict(model_name='motionshapes', pretrained='motionshapes')
model = dict(
    head=dict(
        _delete_=True,
        type='LLMNeighborHead',
        llm=dict(name='smollm2'),
        known_words='data/motionshapes/annotations/classes.json',
        known_splits=['seen', 'unseen'],
        **clip,
    )
)
